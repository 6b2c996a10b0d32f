/** A call takes its place when its header has come: one that never says anything costs as much as another. */
import { ServerInterceptingCall, type ServerInterceptingCallInterface, type ServerInterceptor } from '@grpc/grpc-js';
import { toDragonflyError } from '../../core/errors.ts';
import { isOwnAddress, plainAddress } from '../../core/net/own-address.ts';
import type { ConnectionEnd } from '../connection-book.ts';
import { identityOf } from '../member-identity.ts';
import { statusFromError } from '../status.ts';
import type { CallPlaces } from './call-places.ts';

/** @param onRefused hears of each call that found no place. */
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
          // Also behind the last word of a call that ended well.
          onCancel: () => place?.[Symbol.dispose](),
        }),
    });
  };
}

/** Many members may come by way of one address, and many services live on one machine. */
function takePlace(places: CallPlaces, call: ServerInterceptingCallInterface): Disposable {
  const identity = identityOf(call.getAuthContext().sslPeerCertificate?.subjectaltname);
  if (identity) return places.take(identity.hostId);
  const address = plainAddress(call.getConnectionInfo().remoteAddress ?? '');
  return places.take(address, isOwnAddress(address) ? Infinity : undefined);
}
