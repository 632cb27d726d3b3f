import type { Admin } from 'kafkajs'
import { withTimeLimit } from '../../core/time-limit.js'
import type { KafkaClient, KafkaClients } from './client.js'
import { judge, unanswered } from './errors.js'
import type { KafkaSettings } from './settings.js'

interface Session {
  client: KafkaClient
  admin: Admin
}

/** An admin client of kafkajs: connected at the first question, and anew after a connection that failed. */
export class AdminSession {
  readonly #settings: KafkaSettings
  readonly #clients: KafkaClients
  #session: Promise<Session> | undefined

  constructor(settings: KafkaSettings, clients: KafkaClients) {
    this.#settings = settings
    this.#clients = clients
  }

  /** Longest time one question takes, milliseconds; connecting, where needed, takes as long besides. */
  get limitMs(): number {
    return this.#settings.connectionTimeoutMs + this.#settings.requestTimeoutMs
  }

  /** @param doing completes the sentence "Kafka at … failed while …". @throws RelayError */
  async ask<T>(doing: string, question: (admin: Admin) => Promise<T>): Promise<T> {
    const { bootstrapServers: servers } = this.#settings
    const asked = this.#session ?? this.#connect()
    this.#session = asked
    try {
      const { admin } = await asked
      return await withTimeLimit(question(admin), this.limitMs, () => unanswered(doing, servers))
    } catch (thrown) {
      const { error } = judge(thrown, doing, this.#settings)
      if (error.code === 'BROKER_UNREACHABLE' || error.code === 'BROKER_TIMEOUT') this.#drop(asked)
      throw error
    }
  }

  async #connect(): Promise<Session> {
    const client = this.#clients.open()
    const admin = client.kafka.admin()
    try {
      await withTimeLimit(admin.connect(), this.limitMs, () =>
        unanswered('connecting', this.#settings.bootstrapServers),
      )
      return { client, admin }
    } catch (error) {
      this.#session = undefined
      client.cut('given up')
      throw error
    }
  }

  /** Ends a session that failed, so that the next question opens another. */
  #drop(session: Promise<Session>): void {
    if (this.#session !== session) return
    this.#session = undefined
    void session.then(({ client }) => client.cut('given up, as an earlier request failed'))
  }
}
