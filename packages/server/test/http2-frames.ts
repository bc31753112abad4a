import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** HTTP/2 written by hand (RFC 9113), for what no client library would send. */
export const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

export const frameTypes = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
};
export const flags = { none: 0, endStream: 1, endHeaders: 4 };

export function frame(type: number, flag: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flag;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** HPACK without a table: `GET path` or `POST path` of this authority. */
export function requestHeaders(authority: string, path: string, method: "GET" | "POST" = "GET"): Buffer {
  return Buffer.concat([Buffer.from([method === "GET" ? 0x82 : 0x83, 0x86]), literal(4, path), literal(1, authority)]);
}

/** A field with a name of the static table, not to be remembered. */
function literal(name: number, value: string): Buffer {
  return Buffer.concat([Buffer.from([name, value.length]), Buffer.from(value, "latin1")]);
}

/** A field of any name, not to be remembered; both parts shorter than 127 bytes. */
export function field(name: string, value: string): Buffer {
  return Buffer.concat([
    Buffer.from([0, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value),
  ]);
}

export interface RawConnection {
  readonly socket: Socket;
  /** Frames that came, by type. */
  readonly received: Map<number, Buffer[]>;
  readonly closed: Promise<unknown>;
  /** False once the peer has closed. */
  send(...bytes: Buffer[]): Promise<boolean>;
}

export async function openConnection(port: number): Promise<RawConnection> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.on("error", () => undefined);
  const received = new Map<number, Buffer[]>();
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const length = 9 + rest.readUIntBE(0, 3);
      const type = rest[3] ?? 0;
      received.set(type, [...(received.get(type) ?? []), rest.subarray(0, length)]);
      rest = rest.subarray(length);
    }
  });
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const send = async (...bytes: Buffer[]): Promise<boolean> => {
    if (socket.destroyed || !socket.writable) return false;
    return await new Promise((resolve) => {
      socket.write(Buffer.concat(bytes), (error) => resolve(error === undefined || error === null));
    });
  };
  await send(Buffer.from(preface), frame(frameTypes.settings, 0, 0));
  return { socket, received, closed, send };
}
