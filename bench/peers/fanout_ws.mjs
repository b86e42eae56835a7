// Node's `ws` sending every event to every client, as the peer in bench/fanout.py.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(process.argv[3] + "/");
const { WebSocketServer } = require("ws");
const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  if (pathname === "/go") {
    const event = JSON.parse(searchParams.get("body"));
    const [events, batch] = [Number(searchParams.get("events")), Number(searchParams.get("batch"))];
    for (let i = 0; i < events / batch; i++) {
      const text = JSON.stringify(event);
      for (const client of sockets.clients) {
        client._socket.cork();
        for (let k = 0; k < batch; k++) client.send(text);
        client._socket.uncork();
      }
      do await new Promise((done) => setImmediate(done));
      while ([...sockets.clients].some((client) => client.bufferedAmount > 65536));
    }
    response.end("{}");
  } else {
    const { user, system } = process.cpuUsage();
    response.end(JSON.stringify({ cpu: (user + system) / 1e6, clients: sockets.clients.size }));
  }
});
const sockets = new WebSocketServer({ server, path: "/ws", perMessageDeflate: false });
server.listen(Number(process.argv[2]), "127.0.0.1");
