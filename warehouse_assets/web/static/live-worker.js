// One connection to the server for all pages of a browser that are open.
"use strict";
const ports = new Set();
let last = null;
const source = new EventSource("/live");
const tell = (message) => ports.forEach((port) => port.postMessage(message));
source.onmessage = (event) => { last = event.lastEventId; tell({ change: JSON.parse(event.data) }); };
source.onopen = () => tell({ open: true });
source.onerror = () => tell({ open: false });
onconnect = (event) => {
  const port = event.ports[0];
  ports.add(port);
  port.onmessage = (message) => { if (message.data === "leave") ports.delete(port); };
  port.postMessage({ open: source.readyState === EventSource.OPEN, last });
};
