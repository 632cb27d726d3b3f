import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { RelayError } from '../../../src/core/errors.js'
import { findJava, parseJavaMajor } from '../../../src/stack/java.js'

describe('the version of a Java', () => {
  const texts: Array<[text: string, major: number | undefined]> = [
    ['JAVA_VERSION="17.0.15"\nOS_ARCH="x86_64"', 17],
    ['IMPLEMENTOR="Eclipse Adoptium"\nJAVA_VERSION="25"\n', 25],
    ['openjdk version "21.0.2" 2024-01-16\nOpenJDK Runtime Environment', 21],
    ['openjdk version "26-ea" 2026-03-17', 26],
    ['java version "1.8.0_392"', 8],
    ['The operation couldn’t be completed. Unable to locate a Java Runtime.', undefined],
  ]
  for (const [text, major] of texts) {
    it(`is ${major} in ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.equal(parseJavaMajor(text), major)
    })
  }
})

describe('finding a Java', () => {
  it('takes JAVA_HOME first when it is new enough', async (t) => {
    const folder = await jvmFolder(t, { chosen: 21, newer: 25 })
    const env = { JAVA_HOME: path.join(folder, 'chosen') }
    assert.equal((await findJava('Zeebe', 21, { env, jvmFolders: [folder] })).major, 21)
  })

  it('passes over a JAVA_HOME that is too old', async (t) => {
    const folder = await jvmFolder(t, { old: 11, 'openjdk-21': 21 })
    const env = { JAVA_HOME: path.join(folder, 'old') }
    assert.equal((await findJava('Zeebe', 21, { env, jvmFolders: [folder] })).major, 21)
  })

  it('looks on PATH', async (t) => {
    const folder = await jvmFolder(t, { onPath: 17 })
    const env = { PATH: `/nonexistent:${path.join(folder, 'onPath', 'bin')}` }
    assert.equal((await findJava('Kafka', 17, { env, jvmFolders: [] })).major, 17)
  })

  it('takes the newest of the usual folders', async (t) => {
    const folder = await jvmFolder(t, { 'a-17': 17, 'b-25': 25, 'c-21': 21 })
    assert.equal((await findJava('Kafka', 17, { env: {}, jvmFolders: [folder] })).major, 25)
  })

  it('looks into the bundles of macOS', async (t) => {
    const folder = await jvmFolder(t, { 'temurin-21.jdk/Contents/Home': 21 })
    assert.equal((await findJava('Zeebe', 21, { env: {}, jvmFolders: [folder] })).major, 21)
  })

  it('says in one sentence what to install when there is none', async () => {
    await assert.rejects(findJava('Zeebe', 21, { env: {}, jvmFolders: [] }), (error) => {
      assert.ok(error instanceof RelayError)
      assert.equal(error.code, 'STACK_PREREQUISITE_MISSING')
      assert.match(
        error.message,
        /^Zeebe needs Java 21 or newer, and none was found .*install a JDK .*docker compose up/,
      )
      assert.doesNotMatch(error.message, /\n/)
      return true
    })
  })

  it('names the versions that are too old', async (t) => {
    const folder = await jvmFolder(t, { a: 11, b: 17 })
    await assert.rejects(
      findJava('Zeebe', 21, { env: {}, jvmFolders: [folder] }),
      /only Java 17, 11 was found/,
    )
  })
})

/** A folder of Java homes, by name and major version. */
async function jvmFolder(t: TestContext, homes: Record<string, number>): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'jvm-'))
  t.after(() => rm(folder, { recursive: true }))
  for (const [name, major] of Object.entries(homes)) {
    const bin = path.join(folder, name, 'bin')
    await mkdir(bin, { recursive: true })
    await writeFile(path.join(bin, 'java'), '')
    await chmod(path.join(bin, 'java'), 0o755)
    await writeFile(path.join(folder, name, 'release'), `JAVA_VERSION="${major}.0.1"\n`)
  }
  return folder
}
