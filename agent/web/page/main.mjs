// The page's beginning: the launcher calls what is on `window`, and reads what `agentLog` gets.

import { clock } from './clock.mjs';
import { Host } from './host.mjs';

let host;

/** @param {object} config url, secret, areas, cloudProxy, sdkLog */
window.startAgent = (config) => {
  host?.stop();
  host = new Host({
    ...config,
    sdk: window.AgoraRTM,
    clock,
    dial: (url, protocols) => new WebSocket(url, protocols),
    random: () => crypto.randomUUID(),
    log: (text) => window.agentLog(text),
  });
  host.start();
};

window.agentStatus = () => {
  // Chromium alone has it.
  const heapMB = Math.round((performance.memory?.usedJSHeapSize ?? 0) / 1e6);
  return JSON.stringify(host ? { ...host.status, heapMB } : null);
};
window.stopAgent = () => host?.stop();
