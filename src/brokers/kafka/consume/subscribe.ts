import type { ISocketFactory } from 'kafkajs'
import type { ConnectionContext } from '../../broker.js'
import type { MessageHandler, Source, Subscription } from '../../subscription.js'
import { KafkaClients } from '../client.js'
import type { KafkaSettings } from '../settings.js'
import { KafkaMember } from './kafka-member.js'
import { checkSource } from './source.js'

/** `subscribe` of the port, on connections of its own. */
export async function subscribe(
  settings: KafkaSettings,
  source: Source,
  handle: MessageHandler,
  context: ConnectionContext,
  socketFactory: ISocketFactory,
): Promise<Subscription> {
  const checked = checkSource(source, settings)
  const own = { ...settings, requestTimeoutMs: settings.consumer.requestTimeoutMs }
  const member = new KafkaMember(
    own,
    checked,
    handle,
    context,
    new KafkaClients(own, socketFactory, context.log),
  )
  try {
    await member.start()
    return member
  } catch (error) {
    await member.close()
    throw error
  }
}
