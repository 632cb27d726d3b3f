import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { InboundMessage, MessageHandler, Source, Subscription } from '../../src/brokers/subscription.js'

export interface Consuming {
  /** In the order their handlers began. */
  messages: InboundMessage[]
  subscription: Subscription
}

export type Subscribe = (source: Source, handle: MessageHandler) => Promise<Subscription>

/** Consumes into a list, which holds a message before its handler decides about it. Closed with the test. */
export async function consume(
  t: TestContext,
  subscribe: Subscribe,
  source: Partial<Source> & Pick<Source, 'topics'>,
  handle: (message: InboundMessage) => unknown = () => undefined,
): Promise<Consuming> {
  const messages: InboundMessage[] = []
  const subscription = await subscribe(
    { group: newGroup(), from: { at: 'latest' }, ...source },
    async (batch) => {
      for (const message of batch) {
        messages.push(message)
        await handle(message)
      }
    },
  )
  t.after(() => subscription.close())
  return { messages, subscription }
}

export function newGroup(): string {
  return `test-${randomUUID()}`
}

export function textOf(message: InboundMessage): string {
  return String(message.value)
}

/** A promise that somebody else resolves. */
export class Gate {
  open: () => void = () => undefined
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve
  })
}
