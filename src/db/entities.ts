import { EntitySchema } from 'typeorm'

/** A row of `adapter` as it is stored: secret settings are sealed, `@env(...)` is not resolved. */
export interface AdapterRow {
  id: string
  name: string
  kind: string
  address: string
  description: string
  settings: object
  keySerialization: string
  valueSerialization: string
  auditRequests: boolean
  logResults: boolean
  slaMonitoring: boolean
  applicationId: string | null
  applicationName: string | null
  applicationVersion: string | null
  enabled: boolean
  managed: boolean
  revision: number
  developers: string[]
  maintainers: string[]
  createdAt: Date
  updatedAt: Date
}

/** A row of `environment_variable`; the value of a secret one is sealed. */
export interface EnvironmentVariableRow {
  name: string
  value: string
  secret: boolean
  description: string
  managed: boolean
  updatedAt: Date
}

/** A row of `notifier` as it is stored: secret settings are sealed, `@env(...)` is not resolved. */
export interface NotifierRow {
  id: string
  name: string
  kind: string
  description: string
  settings: object
  enabled: boolean
  managed: boolean
  createdAt: Date
  updatedAt: Date
}

export const AdapterEntity = new EntitySchema<AdapterRow>({
  name: 'adapter',
  columns: {
    id: { type: 'uuid', primary: true },
    name: { type: 'text' },
    kind: { type: 'text' },
    address: { type: 'text' },
    description: { type: 'text' },
    settings: { type: 'jsonb' },
    keySerialization: { type: 'text', name: 'key_serialization' },
    valueSerialization: { type: 'text', name: 'value_serialization' },
    auditRequests: { type: 'boolean', name: 'audit_requests' },
    logResults: { type: 'boolean', name: 'log_results' },
    slaMonitoring: { type: 'boolean', name: 'sla_monitoring' },
    applicationId: { type: 'text', name: 'application_id', nullable: true },
    applicationName: { type: 'text', name: 'application_name', nullable: true },
    applicationVersion: { type: 'text', name: 'application_version', nullable: true },
    enabled: { type: 'boolean' },
    managed: { type: 'boolean' },
    revision: { type: 'integer' },
    developers: { type: 'text', array: true },
    maintainers: { type: 'text', array: true },
    createdAt: { type: 'timestamptz', name: 'created_at', createDate: true },
    updatedAt: { type: 'timestamptz', name: 'updated_at', updateDate: true },
  },
})

export const EnvironmentVariableEntity = new EntitySchema<EnvironmentVariableRow>({
  name: 'environment_variable',
  columns: {
    name: { type: 'text', primary: true },
    value: { type: 'text' },
    secret: { type: 'boolean' },
    description: { type: 'text' },
    managed: { type: 'boolean' },
    updatedAt: { type: 'timestamptz', name: 'updated_at', updateDate: true },
  },
})

export const NotifierEntity = new EntitySchema<NotifierRow>({
  name: 'notifier',
  columns: {
    id: { type: 'uuid', primary: true },
    name: { type: 'text' },
    kind: { type: 'text' },
    description: { type: 'text' },
    settings: { type: 'jsonb' },
    enabled: { type: 'boolean' },
    managed: { type: 'boolean' },
    createdAt: { type: 'timestamptz', name: 'created_at', createDate: true },
    updatedAt: { type: 'timestamptz', name: 'updated_at', updateDate: true },
  },
})
