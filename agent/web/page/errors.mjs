// RTM's errors: the Web SDK gives a number, and which enum it is of follows from the call.

const SESSION = { 102: 'USER_NOT_LOGGED_IN' };

/** The members by enum and number, as the Web SDK's documents name them. */
export const NAMES = {
  CREATE: { 1: 'INVALID_ARGUMENT' },
  LOGIN: {
    1: 'UNKNOWN',
    2: 'REJECTED',
    3: 'INVALID_ARGUMENT',
    4: 'INVALID_APP_ID',
    5: 'INVALID_TOKEN',
    6: 'TOKEN_EXPIRED',
    7: 'NOT_AUTHORIZED',
    8: 'ALREADY_LOGIN',
    9: 'TIMEOUT',
    10: 'TOO_OFTEN',
  },
  LOGOUT: { 1: 'REJECTED', ...SESSION },
  RENEW_TOKEN: {
    1: 'FAILURE',
    2: 'INVALID_ARGUMENT',
    3: 'REJECTED',
    4: 'TOO_OFTEN',
    5: 'TOKEN_EXPIRED',
    6: 'INVALID_TOKEN',
    ...SESSION,
  },
  PEER_MESSAGE: {
    1: 'FAILURE',
    2: 'TIMEOUT',
    3: 'PEER_UNREACHABLE',
    4: 'CACHED_BY_SERVER',
    5: 'TOO_OFTEN',
    6: 'INVALID_USERID',
    7: 'INVALID_MESSAGE',
    8: 'INCOMPATIBLE_MESSAGE',
    ...SESSION,
  },
  JOIN_CHANNEL: {
    1: 'FAILURE',
    2: 'REJECTED',
    3: 'INVALID_ARGUMENT',
    4: 'TIMEOUT',
    5: 'EXCEED_LIMIT',
    6: 'ALREADY_JOINED',
    7: 'TOO_OFTEN',
    8: 'JOIN_SAME_CHANNEL_TOO_OFTEN',
    ...SESSION,
    202: 'ALREADY_JOINED_CHANNEL_OF_SAME_ID',
  },
  LEAVE_CHANNEL: { 1: 'FAILURE', 2: 'REJECTED', 3: 'NOT_IN_CHANNEL', 4: 'KICKED', ...SESSION },
  CHANNEL_MESSAGE: {
    1: 'FAILURE',
    2: 'TIMEOUT',
    3: 'TOO_OFTEN',
    4: 'INVALID_MESSAGE',
    5: 'NOT_IN_CHANNEL',
    ...SESSION,
  },
  GET_MEMBERS: { 1: 'FAILURE', 2: 'REJECTED', 3: 'TIMEOUT', 4: 'TOO_OFTEN', 5: 'NOT_IN_CHANNEL', ...SESSION },
  GET_CHANNEL_MEMBER_COUNT: {
    1: 'FAILURE',
    2: 'INVALID_ARGUMENT',
    3: 'TOO_OFTEN',
    4: 'TIMEOUT',
    5: 'EXCEED_LIMIT',
    ...SESSION,
  },
  QUERY_PEERS_ONLINE_STATUS: {
    1: 'FAILURE',
    2: 'INVALID_ARGUMENT',
    3: 'REJECTED',
    4: 'TIMEOUT',
    5: 'TOO_OFTEN',
    ...SESSION,
  },
  PEER_SUBSCRIPTION_STATUS: {
    1: 'FAILURE',
    2: 'INVALID_ARGUMENT',
    3: 'REJECTED',
    4: 'TIMEOUT',
    5: 'TOO_OFTEN',
    6: 'OVERFLOW',
    ...SESSION,
  },
  QUERY_PEERS_BY_SUBSCRIPTION_OPTION: { 1: 'FAILURE', 2: 'TIMEOUT', 3: 'TOO_OFTEN', ...SESSION },
  ATTRIBUTE_OPERATION: {
    1: 'NOT_READY',
    2: 'FAILURE',
    3: 'INVALID_ARGUMENT',
    4: 'SIZE_OVERFLOW',
    5: 'TOO_OFTEN',
    6: 'USER_NOT_FOUND',
    7: 'TIMEOUT',
    ...SESSION,
  },
  INVITATION_API_CALL: {
    1: 'INVALID_ARGUMENT',
    2: 'NOT_STARTED',
    3: 'ALREADY_END',
    4: 'ALREADY_ACCEPT',
    5: 'ALREADY_SENT',
  },
};

/** Something that is answered with an error of the link, not of RTM. */
export class LinkError extends Error {
  /** @param {number} code JSON-RPC's */
  constructor(code, message) {
    super(message);
    this.code = code;
    this.isOfLink = true;
  }
}

/** An error of this agent in RTM's terms, as the SDK would return it. */
export function rtmError(operation, code) {
  return Object.assign(new Error(), { operation, code });
}

/**
 * An error as the link carries it.
 *
 * @param {unknown} error what the SDK threw or rejected with
 * @param {string} operation the enum of the call; an error that names one is of that
 */
export function toAnswer(error, operation) {
  if (error?.isOfLink) return { error: { code: error.code, message: error.message } };
  const errorCode = error?.code;
  if (!Number.isInteger(errorCode)) {
    return { error: { code: -32603, message: `the SDK failed: ${error?.message ?? error}` } };
  }
  const enumName = error.operation ?? operation;
  const name = NAMES[enumName]?.[errorCode];
  const message = `${enumName}.${name ?? errorCode}`;
  return { error: { code: -32000, message, data: { operation: enumName, errorCode, ...(name && { name }) } } };
}
