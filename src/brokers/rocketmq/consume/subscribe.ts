import type { ConnectionContext } from '../../broker.js'
import type { MessageHandler, Source, Subscription } from '../../subscription.js'
import type { RocketmqSettings } from '../settings.js'
import { GrpcMember } from './grpc-member.js'
import { RemotingMember } from './remoting-member.js'
import { checkSource } from './source.js'

/** `subscribe` of the port, over the protocol of the adapter. */
export async function subscribe(
  settings: RocketmqSettings,
  source: Source,
  handle: MessageHandler,
  context: ConnectionContext,
): Promise<Subscription> {
  const checked = checkSource(source, settings)
  const member =
    settings.protocol === 'remoting'
      ? new RemotingMember(settings, checked, handle, context)
      : new GrpcMember(settings, checked, handle, context)
  try {
    await member.start()
    return member
  } catch (error) {
    await member.close()
    throw error
  }
}
