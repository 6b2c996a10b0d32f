/** A call is admitted when its header arrives, since a silent call costs as much as any other. */
import { ServerInterceptingCall, type ServerInterceptingCallInterface, type ServerInterceptor } from '@grpc/grpc-js';
import { toDragonflyError } from '../../core/errors.ts';
import { isOwnAddress, plainAddress } from '../../core/net/own-address.ts';
import type { ConnectionEnd } from '../connection-book.ts';
import { identityOf } from '../member-identity.ts';
import { statusFromError } from '../status.ts';
import type { CallPlaces } from './call-places.ts';

/** @param onRefused called for each rejected call. */
export function admission(places: CallPlaces, onRefused: (end: ConnectionEnd) => void): ServerInterceptor {
  return (_method, call) => {
    let place: Disposable | undefined;
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, goOn) => {
            try {
              place = takePlace(places, call);
            } catch (error) {
              call.sendStatus(statusFromError(toDragonflyError(error)));
              return onRefused(call.getConnectionInfo());
            }
            goOn(metadata);
          },
          // also called after the end of a successful call
          onCancel: () => place?.[Symbol.dispose](),
        }),
    });
  };
}

/** Many members may share an address, and many services may live on one machine. */
function takePlace(places: CallPlaces, call: ServerInterceptingCallInterface): Disposable {
  const identity = identityOf(call.getAuthContext().sslPeerCertificate?.subjectaltname);
  if (identity) return places.take(identity.hostId);
  const address = plainAddress(call.getConnectionInfo().remoteAddress ?? '');
  return places.take(address, isOwnAddress(address) ? Infinity : undefined);
}
