// One connection to the server for all pages of a browser that are open. A page says what it knows, and is told what came after that.
"use strict";
const ports = new Set();
const kept = [];
let source = null;
let facts = null;
const tell = (message) => ports.forEach((port) => port.postMessage(message));
function listen(after) {
  source = new EventSource(after === null ? "/live" : `/live?after=${after}`);
  source.onmessage = (event) => {
    const change = JSON.parse(event.data);
    kept.push(change);
    if (kept.length > 200) kept.shift();
    facts = change.facts;
    tell({ change });
  };
  source.addEventListener("facts", (event) => { facts = Number(event.data); tell({ facts }); });
}
onconnect = (event) => {
  const port = event.ports[0];
  port.onmessage = (message) => {
    if (message.data === "leave") { ports.delete(port); return; }
    ports.add(port);
    if (!source) listen(message.data.after);
    else if (message.data.after !== null) kept.filter((change) => change.id > message.data.after).forEach((change) => port.postMessage({ change }));
    if (facts !== null) port.postMessage({ facts });
  };
};
