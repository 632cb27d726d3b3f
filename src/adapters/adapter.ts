import type { AdapterKind } from '../brokers/broker.js'
import type { Serialization } from './serialization/serializer.js'

/** A named connection model. Settings hold `@env(...)` unresolved; secrets in them are open here. */
export interface Adapter {
  id: string
  name: string
  kind: AdapterKind
  address: string
  description: string
  settings: Record<string, unknown>
  /** Default `string`, for both. */
  keySerialization: Serialization
  valueSerialization: Serialization
  /** Record access requests in the audit log. Default true. */
  auditRequests: boolean
  /** Record returned results in the file log. Default false. */
  logResults: boolean
  /** Count calls in the SLA counters. Default true. */
  slaMonitoring: boolean
  enabled: boolean
  /** Kept by `bpmn-relay apply`. */
  managed: boolean
  /** Grows with every change. */
  revision: number
}

/** What a person gives to make an adapter; the rest has defaults. */
export interface NewAdapter {
  name: string
  kind: string
  address: string
  description?: string
  settings?: Record<string, unknown>
  keySerialization?: string
  valueSerialization?: string
  auditRequests?: boolean
  logResults?: boolean
  slaMonitoring?: boolean
  enabled?: boolean
  managed?: boolean
}

/** What is not given stays as it is. Of settings all are given, with those sealed texts that stay. */
export type AdapterChange = Partial<Omit<NewAdapter, 'name' | 'kind'>>
