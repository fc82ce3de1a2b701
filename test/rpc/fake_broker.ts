/**
 * A broker of a few lines, for what a real one does too rarely to be waited for: it answers every declaration, consume
 * and publish at once, unless the test's hook answers instead. AMQP's frames are amqplib's own.
 */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

type Method = { channel: number; id: number; fields?: Record<string, unknown> };
type Definitions = Readonly<Record<string, number>> & {
  encodeMethod(id: number, channel: number, fields: Record<string, unknown>): Buffer;
};
type Frames = {
  parseFrame(bytes: Buffer, max: number): ({ rest: Buffer } & object) | false | undefined;
  decodeFrame(frame: object): Method;
};

const require = createRequire(import.meta.url);
// Not among the package's exports: by path.
const lib = join(dirname(require.resolve('amqplib')), 'lib');
const definitions: Definitions = require(join(lib, 'defs.js'));
const frames: Frames = require(join(lib, 'frame.js'));

const EMPTY = Buffer.alloc(0);
const PROTOCOL_HEADER_BYTES = 8;
const ANSWERS: Readonly<Record<string, [answer: string, fields: Record<string, unknown>]>> = {
  ConnectionStartOk: ['ConnectionTune', { channelMax: 2047, frameMax: 131_072, heartbeat: 60 }],
  ConnectionOpen: ['ConnectionOpenOk', { knownHosts: '' }],
  ConnectionClose: ['ConnectionCloseOk', {}],
  ChannelOpen: ['ChannelOpenOk', { channelId: EMPTY }],
  ChannelClose: ['ChannelCloseOk', {}],
  ConfirmSelect: ['ConfirmSelectOk', {}],
  BasicQos: ['BasicQosOk', {}],
  ExchangeDeclare: ['ExchangeDeclareOk', {}],
  QueueDeclare: ['QueueDeclareOk', { queue: 'q', messageCount: 0, consumerCount: 0 }],
  QueueBind: ['QueueBindOk', {}],
  QueueDelete: ['QueueDeleteOk', { messageCount: 0 }],
  BasicConsume: ['BasicConsumeOk', { consumerTag: 'tag' }],
  BasicCancel: ['BasicCancelOk', { consumerTag: 'tag' }],
};

/** What came in: the method's name, and which connection of the broker's life it came on, from 1. */
export type Received = { readonly method: string; readonly connection: number; readonly channel: number };
export type Write = (...parts: Buffer[]) => void;
export type Hook = (received: Received, write: Write) => boolean;

/** A method's frame. */
export function encode(method: string, channel: number, fields: Record<string, unknown>): Buffer {
  return definitions.encodeMethod(definitions[method] ?? 0, channel, fields);
}

export type FakeBroker = { readonly url: string; readonly received: Received[]; close(): void };

/** Starts it. The hook returns true for what it has answered itself. */
export async function fakeBroker(hook: Hook): Promise<FakeBroker> {
  const received: Received[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    serve(socket, (connections += 1), received, hook);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { url: `rabbit://u:p@127.0.0.1:${port}/`, received, close };
}

function serve(socket: Socket, connection: number, received: Received[], hook: Hook): void {
  let bytes: Buffer = EMPTY;
  let isGreeted = false;
  let published = 0;
  const write: Write = (...parts) => void socket.write(Buffer.concat(parts));
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    if (!isGreeted) {
      isGreeted = true;
      bytes = bytes.subarray(PROTOCOL_HEADER_BYTES);
      const plain = { mechanisms: Buffer.from('PLAIN'), locales: Buffer.from('en_US') };
      write(encode('ConnectionStart', 0, { versionMajor: 0, versionMinor: 9, serverProperties: {}, ...plain }));
    }
    for (let frame = frames.parseFrame(bytes, 2 ** 20); frame; frame = frames.parseFrame(bytes, 2 ** 20)) {
      bytes = Buffer.from(frame.rest);
      const { id, channel } = frames.decodeFrame(frame);
      const method = Object.keys(definitions).find((name) => definitions[name] === id) ?? '';
      const message = { method, connection, channel };
      received.push(message);
      if (hook(message, write)) continue;
      const [answer, fields] = ANSWERS[method] ?? [];
      if (method === 'BasicPublish')
        write(encode('BasicAck', channel, { deliveryTag: (published += 1), multiple: false }));
      else if (answer !== undefined && fields !== undefined) write(encode(answer, channel, fields));
    }
  });
}
