/** Calls of a raw gRPC client, as a foreign implementation makes them. */
import { Client, credentials, type ClientWritableStream, type Metadata } from '@grpc/grpc-js';
import {
  grpcMethod,
  type MethodDefinition,
  type RequestOf,
  type ResponseOf,
  type ServiceDefinition,
} from '../../../src/rpc/definition.ts';

export class TestClient<S extends ServiceDefinition> implements Disposable {
  readonly #client: Client;
  readonly #service: S;

  constructor(service: S, port: number, channelCredentials = credentials.createInsecure()) {
    this.#service = service;
    this.#client = new Client(`127.0.0.1:${port}`, channelCredentials);
  }

  call<K extends keyof S['methods']>(
    name: K,
    request: RequestOf<S['methods'][K]>,
    metadata?: Metadata,
  ): Promise<ResponseOf<S['methods'][K]>> {
    const { path, requestSerialize, responseDeserialize } = this.#method(name);
    return new Promise((resolve, reject) => {
      const done = (error: Error | null, response: unknown): void =>
        error ? reject(error) : resolve(response as ResponseOf<S['methods'][K]>);
      const options = { deadline: Date.now() + 10_000 };
      if (metadata)
        this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, options, done);
      else this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, options, done);
    });
  }

  /** An open client stream, and what it ends with. */
  stream<K extends keyof S['methods']>(
    name: K,
  ): { stream: ClientWritableStream<RequestOf<S['methods'][K]>>; ended: Promise<Error | null> } {
    const { path, requestSerialize, responseDeserialize } = this.#method(name);
    const { promise: ended, resolve } = Promise.withResolvers<Error | null>();
    const stream = this.#client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, (error) =>
      resolve(error),
    );
    return { stream, ended };
  }

  #method(name: keyof S['methods']) {
    const method = this.#service.methods[name as string] as MethodDefinition;
    return grpcMethod(this.#service, method);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
