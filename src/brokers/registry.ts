import type { TObject } from 'typebox'
import { RelayError } from '../core/errors.js'
import type {
  AdapterKind,
  BrokerConnection,
  BrokerDriver,
  ConnectionContext,
  MessageInput,
} from './broker.js'
import { createKafkaDriver } from './kafka/driver.js'
import type { BrokerOperator } from './operator.js'
import { createRocketmqDriver } from './rocketmq/driver.js'
import {
  MESSAGE_ORDERS,
  type MessageHandler,
  type MessageOrder,
  type Source,
  type SourceLimits,
  type Subscription,
} from './subscription.js'

/** A driver whose settings type nobody outside needs to know. */
export interface RegisteredDriver {
  kind: AdapterKind
  taskType: string
  inputs: readonly MessageInput[]
  acceptsNull: boolean
  settings: TObject
  /** @throws RelayError SETTINGS_INVALID */
  validate(address: string, settings: Record<string, unknown>): void
  /** @throws RelayError SETTINGS_INVALID */
  connect(address: string, settings: Record<string, unknown>, context: ConnectionContext): BrokerConnection
  /** @throws RelayError SETTINGS_INVALID */
  operate(address: string, settings: Record<string, unknown>, context: ConnectionContext): BrokerOperator
  /** Orders of a subscription that need nothing of the servers. @throws RelayError SETTINGS_INVALID */
  keptOrders(address: string, settings: Record<string, unknown>): readonly MessageOrder[]
  /**
   * How much of a source would be handled at a time; undefined where nothing can be consumed.
   * @throws RelayError naming what of it cannot be consumed through an adapter of these settings
   */
  checkSource(address: string, settings: Record<string, unknown>, source: Source): SourceLimits | undefined
  /** See `BrokerDriver.subscribe`. @throws RelayError NOT_SUPPORTED where nothing can be consumed, too */
  subscribe(
    address: string,
    settings: Record<string, unknown>,
    source: Source,
    handle: MessageHandler,
    context: ConnectionContext,
  ): Promise<Subscription>
}

export type DriverRegistry = ReadonlyMap<string, RegisteredDriver>

/** The brokers this program can talk to: one line each. */
export function brokerDrivers(): DriverRegistry {
  return registryOf(register(createKafkaDriver()), register(createRocketmqDriver()))
}

export function registryOf(...drivers: RegisteredDriver[]): DriverRegistry {
  return new Map(drivers.map((driver) => [driver.kind, driver]))
}

export function register<Settings>(driver: BrokerDriver<Settings>): RegisteredDriver {
  return {
    kind: driver.kind,
    taskType: driver.taskType,
    inputs: driver.inputs,
    acceptsNull: driver.acceptsNull,
    settings: driver.settings,
    validate: (address, settings) => void driver.parse(address, settings),
    connect: (address, settings, context) => driver.connect(driver.parse(address, settings), context),
    operate: (address, settings, context) =>
      driver.operate?.(driver.parse(address, settings), context) ?? NOTHING_TO_OPERATE,
    keptOrders: (address, settings) => driver.keptOrders?.(driver.parse(address, settings)) ?? MESSAGE_ORDERS,
    checkSource: (address, settings, source) => driver.checkSource?.(driver.parse(address, settings), source),
    async subscribe(address, settings, source, handle, context) {
      if (driver.subscribe)
        return await driver.subscribe(driver.parse(address, settings), source, handle, context)
      throw new RelayError('NOT_SUPPORTED', `adapters of kind ${driver.kind} cannot be listened to`)
    },
  }
}

const NOTHING_TO_OPERATE: BrokerOperator = { close: async () => undefined }

/** @throws RelayError SETTINGS_INVALID naming the kinds there are. */
export function driverOf(registry: DriverRegistry, kind: string): RegisteredDriver {
  const driver = registry.get(kind)
  if (driver) return driver
  throw new RelayError(
    'SETTINGS_INVALID',
    `kind "${kind}" is unknown: use one of ${[...registry.keys()].join(', ')}`,
  )
}
