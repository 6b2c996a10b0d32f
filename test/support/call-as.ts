/** One gRPC call over a unix socket as another user of this machine. Needs root. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Resolves with the gRPC status. @param path `/package.Service/Method`. */
export async function callAs(
  user: { readonly uid: number; readonly gid: number },
  socket: string,
  path: string,
  message: Uint8Array,
): Promise<number> {
  const program = `
    const [socketPath, path, hex] = process.argv.slice(1);
    const socket = require('node:net').connect(socketPath);
    const client = require('node:http2').connect('http://localhost', { createConnection: () => socket });
    const call = client.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
    const message = Buffer.from(hex, 'hex');
    let status;
    const note = (header) => { status = header['grpc-status'] ?? status; };
    call.on('response', note).on('trailers', note).on('error', () => undefined).resume();
    call.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
    call.on('close', () => { console.log(status); client.close(); });`;
  const args = ['-e', program, socket, path, Buffer.from(message).toString('hex')];
  const { stdout } = await run(process.execPath, args, { ...user, cwd: '/' });
  return Number(stdout);
}
