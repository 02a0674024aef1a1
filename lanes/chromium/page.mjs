// In the page, beside the SDK: creates the agent on request, and numbers its events.

import { Agent } from './agent.mjs';

let count = 0;

window.startAgent = (appId, way) => {
  // `emitEvent` is the lane's, and takes its time; the number shows whether anything has overtaken.
  const emit = (...event) => void window.emitEvent((count += 1), ...event);
  window.agent = new Agent(window.Signal, emit, appId, way);
};
