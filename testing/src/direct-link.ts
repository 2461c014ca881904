import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import type { BrowserClient } from "./script-page.ts";

/**
 * WHIP and WHEP without a server in between: the offer is answered by a browser page, so media runs from client to browser directly. It is
 * the baseline that lip sync is measured against, and it shows that the other clients work by themselves.
 */
export interface DirectLink {
  /** POST an offer to publish to the page. */
  readonly whipUrl: string;
  /** POST an offer to watch the page's media. */
  readonly whepUrl: string;
  /** The page's ids of the clients that came, oldest first. */
  readonly clients: readonly number[];
  readonly close: () => Promise<void>;
}

/**
 * @param page answers all offers
 * @param media what viewers get
 */
export async function startDirectLink(page: BrowserClient, media?: number): Promise<DirectLink> {
  const clients: number[] = [];
  const server = createServer((request, response) => {
    serve(request, response, page, media, clients).catch((error: unknown) => {
      response.writeHead(500, { "content-type": "text/plain" });
      response.end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("an HTTP server without a port");
  const base = `http://127.0.0.1:${address.port}`;
  return {
    whipUrl: `${base}/whip`,
    whepUrl: `${base}/whep`,
    clients,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  page: BrowserClient,
  media: number | undefined,
  clients: number[],
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString();
  const headers = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST, PATCH, DELETE",
    "access-control-allow-headers": "*",
    "access-control-expose-headers": "Location",
  };
  const resource = /^\/client\/(\d+)$/.exec(request.url ?? "");
  if (request.method === "POST" && (request.url === "/whip" || request.url === "/whep")) {
    const argument = request.url === "/whip" || media === undefined ? { sdp: body } : { sdp: body, media };
    const answered = (await page.call("answer", argument)) as { id: number; answer: string };
    clients.push(answered.id);
    response.writeHead(201, { ...headers, "content-type": "application/sdp", location: `/client/${answered.id}` });
    response.end(answered.answer);
  } else if (request.method === "PATCH" && resource !== null) {
    await page.call("addCandidates", { id: Number(resource[1]), fragment: body });
    response.writeHead(204, headers);
    response.end();
  } else {
    response.writeHead(request.method === "DELETE" || request.method === "OPTIONS" ? 200 : 404, headers);
    response.end();
  }
}
