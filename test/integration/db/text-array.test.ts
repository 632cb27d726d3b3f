import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plainArray, textArray } from '../../../src/db/text-array.js'
import { emptyDatabase } from '../../helpers/migrated-database.js'

test('texts of every kind reach Postgres as they are', async (t) => {
  const database = await emptyDatabase(t)
  const texts = ['', 'NULL', '"quoted"', 'a\\b', '{1,2}', 'line\nline', '余额不足', '🚀', 'x'.repeat(100_000)]

  const rows = await database.query('SELECT * FROM unnest($1::text[]) AS given(text)', [textArray(texts)])

  assert.deepEqual(
    rows,
    texts.map((text) => ({ text })),
  )
})

test('null stays null among texts', async (t) => {
  const database = await emptyDatabase(t)

  const rows = await database.query('SELECT * FROM unnest($1::text[]) AS given(text)', [
    textArray(['a', null, 'b']),
  ])

  assert.deepEqual(rows, [{ text: 'a' }, { text: null }, { text: 'b' }])
})

test('texts that follow their like are there as often as they were given', async (t) => {
  const database = await emptyDatabase(t)
  const texts = ['job', 'job', 'job', '', '', null, null, 'später', 'später', 'job']

  const rows = await database.query('SELECT * FROM unnest($1::text[]) AS given(text)', [textArray(texts)])

  assert.deepEqual(
    rows,
    texts.map((text) => ({ text })),
  )
})

test('texts with more bytes than characters keep their last characters, whatever stands beside them', async (t) => {
  const database = await emptyDatabase(t)
  const columns = [['éé🚀'], ['é', 'plain'], ['plain', 'plain', 'ü🚀ü'], ['余', '余', null, 'plain', '']]

  for (const texts of columns) {
    const rows = await database.query('SELECT * FROM unnest($1::text[]) AS given(text)', [textArray(texts)])

    assert.deepEqual(
      rows,
      texts.map((text) => ({ text })),
    )
  }
})

test('half a surrogate pair, which is no character, becomes the replacement character', async (t) => {
  const database = await emptyDatabase(t)

  const rows = await database.query('SELECT * FROM unnest($1::text[]) AS given(text)', [
    textArray(['a\ud83d', '\ude80b', '余\0\ud83d']),
  ])

  assert.deepEqual(rows, [{ text: 'a\ufffd' }, { text: '\ufffdb' }, { text: '余\ufffd\ufffd' }])
})

test('a NUL, which Postgres stores in no text, becomes the replacement character', async (t) => {
  const database = await emptyDatabase(t)

  const rows = await database.query('SELECT * FROM unnest($1::text[]) AS given(text)', [
    textArray(['a\0b', null, 'c']),
  ])

  assert.deepEqual(rows, [{ text: 'a\ufffdb' }, { text: null }, { text: 'c' }])
})

test('a list without texts is an empty array', async (t) => {
  const database = await emptyDatabase(t)

  const [row] = await database.query('SELECT cardinality($1::text[]) AS count', [textArray([])])

  assert.deepEqual(row, { count: 0 })
})

test('keys and numbers reach Postgres as they are, null as null', async (t) => {
  const database = await emptyDatabase(t)

  const [row] = await database.query(
    'SELECT $1::bigint[] AS keys, $2::real[] AS numbers, $3::int[] AS none',
    [plainArray(['9223372036854775807', null, '0']), plainArray([0.5, null]), plainArray([])],
  )

  assert.deepEqual(row, { keys: ['9223372036854775807', null, '0'], numbers: [0.5, null], none: [] })
})
