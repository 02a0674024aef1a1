// A small XMLHttpRequest over node:http, as much of it as a look-up needs.
//
// It behaves as a browser would where the server could get it wrong: it sends an Origin header, and an answer without
// a matching Access-Control-Allow-Origin is an error to the page, whatever its status.

import http from 'node:http';

const ORIGIN = 'https://app.example';
// By the names that the SDK has, or by the address that replaces them.
const LOOKUP = /^(?:https:\/\/lbs-[1-4]-sig\.agora\.io|http:\/\/127\.0\.0\.1:(\d+))(\/(?:1\.4\/)?getaddr\?vid=.*)$/;

/**
 * Makes the XMLHttpRequest class of one tab.
 *
 * @param {{port: number, lookups: string[], guard: Function}} tab where look-ups go, and where they are noted
 */
export function xhrFor(tab) {
  return class XMLHttpRequest {
    readyState = 0;
    status = 0;
    statusText = '';
    responseText = '';
    responseType = '';
    timeout = 0;
    withCredentials = false;
    upload = {};
    #method = 'GET';
    #url = '';
    #request = null;
    #listeners = new Map();

    get response() {
      return this.responseText;
    }

    open(method, url) {
      this.#method = method;
      this.#url = String(url);
      this.#become(1);
    }

    setRequestHeader() {}

    getAllResponseHeaders() {
      return '';
    }

    addEventListener(type, listener) {
      this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
    }

    abort() {
      this.#request?.destroy();
      this.#request = null;
    }

    send() {
      const lookup = LOOKUP.exec(this.#url);
      if (!lookup || (lookup[1] === undefined) !== (tab.way === 'lookup')) {
        // Other requests are the SDK's reports. They have no server here and must not leave this machine.
        setImmediate(() => this.#finish(200, ''));
        return;
      }
      tab.lookups.push(this.#url);
      const request = http.request(
        { host: '127.0.0.1', port: tab.port, method: this.#method, path: lookup[2], headers: { origin: ORIGIN } },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8');
          answer.on('data', (part) => (text += part));
          answer.on('end', () => {
            if (this.#request !== request) return;
            const allowed = answer.headers['access-control-allow-origin'];
            if (allowed === '*' || allowed === ORIGIN) this.#finish(answer.statusCode, text);
            else this.#fail('error');
          });
        },
      );
      this.#request = request;
      if (this.timeout > 0) {
        request.setTimeout(this.timeout, () => {
          this.abort();
          this.#fail('timeout');
        });
      }
      request.on('error', () => this.#request === request && this.#fail('error'));
      request.end();
    }

    #finish(status, text) {
      this.status = status;
      this.responseText = text;
      this.#become(4);
      this.#fire('load');
      this.#fire('loadend');
    }

    #fail(kind) {
      this.status = 0;
      this.#become(4);
      this.#fire(kind);
      this.#fire('loadend');
    }

    #become(state) {
      this.readyState = state;
      this.#fire('readystatechange');
    }

    #fire(type) {
      const event = { type, target: this };
      const own = this[`on${type}`];
      for (const listener of [own, ...(this.#listeners.get(type) ?? [])]) {
        if (typeof listener === 'function') tab.guard(`XMLHttpRequest ${type}`, () => listener.call(this, event));
      }
    }
  };
}
