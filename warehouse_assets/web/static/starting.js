// The page that is there before all others: it shows itself anew as soon as the server has more to say.
"use strict";
fetch("/_loading").then(
  async (answer) => { if (answer.ok) location.reload(); else document.getElementById("starting").textContent = (await answer.json()).error; },
  () => { document.getElementById("starting").textContent = "The server has stopped. Its output says why."; },
);
