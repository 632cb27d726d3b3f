import type { OnProgress } from './progress.js'

export interface StartOptions {
  /** Holds everything the server writes. With the same folder a server comes back with its data and on its ports. */
  folder: string
  onProgress: OnProgress
}

export interface LocalServer {
  /** Ends the server as a crash would. */
  kill(): Promise<void>
  /** Resolves once the server is down, or at once when another process holds it too. */
  stop(): Promise<void>
}
