import type { ConnectionContext } from '../../broker.js'
import type { MessageHandler, Source, Subscription } from '../../subscription.js'
import type { RocketmqSettings } from '../settings.js'
import { RemotingMember } from './remoting-member.js'
import { checkSource } from './source.js'

/** `subscribe` of the port, over the protocol of the adapter. */
export async function subscribe(
  settings: RocketmqSettings,
  source: Source,
  handle: MessageHandler,
  context: ConnectionContext,
): Promise<Subscription> {
  const member = new RemotingMember(settings, checkSource(source, settings), handle, context)
  try {
    await member.start()
    return member
  } catch (error) {
    await member.close()
    throw error
  }
}
