// The page's web site, for the browser of this machine: its own files, the SDK's file, and how things are.

import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';

const PAGE = path.join(import.meta.dirname, '..', 'page');
const TYPES = { '.html': 'text/html; charset=utf-8', '.mjs': 'text/javascript; charset=utf-8' };
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
};

/**
 * Serves on 127.0.0.1.
 *
 * @param {{port: number, sdk: string, status: () => object}} options the port, 0 for any; the SDK's file
 * @returns {Promise<{origin: string, close: () => void}>}
 */
export async function startSite({ port, sdk, status }) {
  // Read once: what is served does not change under a page that is being loaded.
  const files = new Map([['/sdk.js', [TYPES['.mjs'], readFileSync(sdk)]]]);
  for (const name of readdirSync(PAGE)) {
    const type = TYPES[path.extname(name)];
    if (type) files.set(`/${name}`, [type, readFileSync(path.join(PAGE, name))]);
  }
  files.set('/', files.get('/index.html'));
  const server = http.createServer((request, response) => {
    // A page with another host name that resolves to this address is foreign.
    if (request.headers.host !== `127.0.0.1:${server.address().port}`) return response.writeHead(421).end();
    if (request.method !== 'GET') return response.writeHead(405, { allow: 'GET' }).end();
    if (request.url === '/status') {
      return response.writeHead(200, { ...HEADERS, 'content-type': 'application/json' }).end(JSON.stringify(status()));
    }
    const file = files.get(request.url);
    if (!file) return response.writeHead(404).end();
    response.writeHead(200, { ...HEADERS, 'content-type': file[0] }).end(file[1]);
  });
  await new Promise((resolve, reject) => {
    server.once('error', (error) => {
      error.hint = 'give another port with --port, and its origin to [upstream.agent] origins';
      reject(error);
    });
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
