// Values as the link carries them and as the SDK does.

import { LinkError } from './errors.mjs';

const INVALID = -32602;

const is = {
  text: (value) => typeof value === 'string',
  texts: (value) => Array.isArray(value) && value.every(is.text),
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  flag: (value) => typeof value === 'boolean',
  number: (value) => Number.isSafeInteger(value) && value >= 0,
  message: (value) => is.object(value) && is.text(value.text) !== is.text(value.rawMessage),
};

/**
 * Reads the parameters of a call. The SDK checks their contents.
 *
 * @param {Record<string, string>} spec names and types; a type with `?` may be absent or null
 * @param {object} params
 */
export function readParams(spec, params) {
  const read = {};
  for (const [name, type] of Object.entries(spec)) {
    const value = params[name] ?? undefined;
    const kind = type.replace('?', '');
    if (value === undefined ? !type.endsWith('?') : !is[kind](value)) {
      throw new LinkError(INVALID, `${name} is not of its type, ${kind}`);
    }
    read[name] = kind === 'message' ? toSdkMessage(value) : value;
  }
  return read;
}

function toSdkMessage({ text, rawMessage, description = '' }) {
  if (rawMessage === undefined) return { messageType: 'TEXT', text };
  if (!is.text(description)) throw new LinkError(INVALID, 'description is not of its type, text');
  return { messageType: 'RAW', rawMessage: fromBase64(rawMessage), description };
}

/** A message of the SDK for the link; nothing for one of a kind that RTM no longer has. */
export function fromSdkMessage({ text, rawMessage, description }) {
  if (typeof text === 'string') return { messageType: 'TEXT', text: wellFormed(text) };
  if (!(rawMessage instanceof Uint8Array)) return undefined;
  return { messageType: 'RAW', rawMessage: toBase64(rawMessage), description: wellFormed(description ?? '') };
}

/** A text that UTF-8 can hold. */
export function wellFormed(text) {
  return String(text).toWellFormed();
}

function fromBase64(text) {
  let bytes;
  try {
    bytes = atob(text);
  } catch {
    throw new LinkError(INVALID, 'rawMessage is not base64');
  }
  return Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
}

function toBase64(bytes) {
  // Not all at once: a call takes only so many arguments.
  let text = '';
  for (let from = 0; from < bytes.length; from += 8192) text += String.fromCharCode(...bytes.subarray(from, from + 8192));
  return btoa(text);
}
