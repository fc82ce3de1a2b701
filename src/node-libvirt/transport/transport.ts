/**
 * A connected byte stream to a daemon, whatever it is made of: a unix or TCP socket, TLS, the stdio of an ssh process.
 * Narrower than a Node stream on purpose: sockets read into one buffer that is used again (net's `onread`), which makes
 * a call a good deal cheaper than a stream of fresh buffers.
 */
export type TransportHandlers = {
  /** Bytes that came. They are valid until this returns: the buffer is used again. Must not throw. */
  onBytes(bytes: Buffer): void;
  /** What had been written has left, after write() returned false. */
  onDrain(): void;
  /** The peer sends no more, or the stream is closed; may come more than once. */
  onEnd(): void;
  onError(error: Error): void;
};

export type Transport = {
  /** What it leads to, for messages: `/run/libvirt/libvirt-sock`, `tls://node1:16514`. */
  readonly peer: string;
  /** Whether write() returned false and onDrain() has not come yet. */
  readonly needsDrain: boolean;
  /** Hands over the handlers, once; no byte is read before. */
  start(handlers: TransportHandlers): void;
  /** False asks for a pause until onDrain(); the bytes are taken all the same and must not be changed afterwards. */
  write(bytes: Buffer): boolean;
  /** Stops reading, so that the peer feels that nobody takes its bytes. */
  pause(): void;
  resume(): void;
  /** Breaks off, without a word to the peer. */
  destroy(): void;
};
