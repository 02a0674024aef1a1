// The channels of an instance: one object of the SDK for each that is joined.

import { listen, OF_CHANNEL } from './events.mjs';

export class Channels {
  #client;
  #emit;
  #joined = new Map();

  constructor(client, emit) {
    this.#client = client;
    this.#emit = emit;
  }

  /** The channel that is joined; else a new object, whose SDK refuses the call. */
  get(channelId) {
    return this.#joined.get(channelId) ?? this.#create(channelId);
  }

  async join(channelId) {
    const known = this.#joined.get(channelId);
    const channel = known ?? this.#create(channelId);
    if (!known) {
      listen(channel, OF_CHANNEL, (name, params) => this.#emit(name, { channelId, ...params }));
      this.#joined.set(channelId, channel);
    }
    try {
      await channel.join();
    } catch (error) {
      if (!known) this.#forget(channelId, channel);
      throw error;
    }
  }

  async leave(channelId) {
    const channel = this.get(channelId);
    await channel.leave();
    this.#forget(channelId, channel);
  }

  /** Leaves all; whether RTM agrees is not waited for. */
  leaveAll() {
    const channels = [...this.#joined.values()];
    this.clear();
    for (const channel of channels) channel.leave().catch(() => {});
  }

  /** Forgets all, where RTM has left them. */
  clear() {
    for (const [channelId, channel] of this.#joined) this.#forget(channelId, channel);
  }

  #create(channelId) {
    try {
      return this.#client.createChannel(channelId);
    } catch (error) {
      error.operation = 'CREATE';
      throw error;
    }
  }

  #forget(channelId, channel) {
    channel.removeAllListeners();
    if (this.#joined.get(channelId) === channel) this.#joined.delete(channelId);
  }
}
