// The application's web site: a page with the SDK, by https and by http, and look-ups of a scenario's own.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';

const HTML = 'text/html; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';

/**
 * Serves the page on two free ports of 127.0.0.1.
 *
 * @param {{sdk: string, certs: string}} options the SDK's file, and the folder with cert.pem and key.pem
 */
export async function startSite({ sdk, certs }) {
  const own = (name, base = './') => readFileSync(new URL(base + name, import.meta.url));
  const files = new Map([
    ['/', [HTML, own('page.html')]],
    ['/page.mjs', [SCRIPT, own('page.mjs')]],
    ['/agent.mjs', [SCRIPT, own('agent.mjs', '../web/')]],
    ['/AgoraSigSDK.min.js', [SCRIPT, readFileSync(sdk)]],
  ]);
  const identity = {
    cert: readFileSync(path.join(certs, 'cert.pem')),
    key: readFileSync(path.join(certs, 'key.pem')),
  };
  const site = new Site(files);
  const answer = (request, response) => site.answer(request, response);
  site.plain = await listening(http.createServer(answer));
  site.tls = await listening(https.createServer(identity, answer));
  return site;
}

class Site {
  #files;
  #lists = new Map();

  constructor(files) {
    this.#files = files;
  }

  /** The address of a look-up that answers with this list, as a path. */
  lookup(list) {
    const base = `/lookup/${this.#lists.size}`;
    this.#lists.set(`${base}/getaddr`, JSON.stringify({ web: list }));
    return base;
  }

  answer(request, response) {
    const { pathname } = new URL(request.url, 'http://site');
    const list = this.#lists.get(pathname);
    const [type, body] = list ? ['application/json', list] : (this.#files.get(pathname) ?? []);
    if (!type) return response.writeHead(404).end();
    // The page by http requests lookups by https, which is another origin.
    response.writeHead(200, { 'content-type': type, 'access-control-allow-origin': '*' }).end(body);
  }
}

async function listening(server) {
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return server.address().port;
}
