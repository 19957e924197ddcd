// Writes the oracle vectors beside this file. Run it with Node where yjs 13, lib0 0.2 and y-protocols 1 are installed:
//
//     npm install yjs@13 lib0@0.2 y-protocols@1 && node generate.mjs
//
// Client ids are fixed and nothing reads the clock, so running it again changes nothing unless a library did.

import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as encoding from 'lib0/encoding'
import * as awarenessProtocol from 'y-protocols/awareness'
import * as syncProtocol from 'y-protocols/sync'
import * as authProtocol from 'y-protocols/auth'
import * as Y from 'yjs'

const here = dirname(fileURLToPath(import.meta.url))
const hex = bytes => Buffer.from(bytes).toString('hex')
const save = (name, value) => writeFileSync(join(here, name), JSON.stringify(value, null, 1) + '\n')

const encoded = write => {
  const encoder = encoding.createEncoder()
  write(encoder)
  return hex(encoding.toUint8Array(encoder))
}

// lib0 ---------------------------------------------------------------------------------------------------------------

const wholes = [0, 1, 63, 64, 127, 128, 300, 16383, 16384, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 40 + 5, 2 ** 53 - 1]
const strings = ['', 'a', 'wörld', '日本', '👩‍🚀', 'x'.repeat(200), 'lone \ud83d half', '\udc00', 'nul \0']

// Values that JSON cannot say are written as {"$": kind, "value": ...}.
const anys = [
  [null, null], [true, true], [false, false], [{ $: 'undefined' }, undefined],
  [0, 0], [{ $: '-0' }, -0], [1, 1], [-1, -1], [63, 63], [64, 64], [-64, -64], [2147483647, 2147483647],
  [-2147483647, -2147483647], [2147483648, 2147483648], [9007199254740991, Number.MAX_SAFE_INTEGER],
  [0.5, 0.5], [-1.25, -1.25], [0.1, 0.1], [1e300, 1e300], [5e-324, 5e-324],
  [{ $: 'float', value: 'NaN' }, NaN], [{ $: 'float', value: 'Infinity' }, Infinity],
  [{ $: 'bigint', value: '9223372036854775807' }, 9223372036854775807n],
  [{ $: 'bigint', value: '-9223372036854775808' }, -9223372036854775808n],
  ['', ''], ['wörld 👩‍🚀', 'wörld 👩‍🚀'], [{ $: 'bytes', value: '00ff10' }, new Uint8Array([0, 255, 16])],
  [[], []], [[1, [2, ['three', null]]], [1, [2, ['three', null]]]],
  [{}, {}], [{ a: 1, b: { c: [true] }, '': 'x' }, { a: 1, b: { c: [true] }, '': 'x' }]
]

save('lib0.json', {
  varuint: wholes.map(n => [n, encoded(e => encoding.writeVarUint(e, n))]),
  varint: wholes.flatMap(n => [[n, encoded(e => encoding.writeVarInt(e, n))], [-n, encoded(e => encoding.writeVarInt(e, n === 0 ? 0 : -n))]]),
  string: strings.map(s => [Buffer.from(s).toString(), encoded(e => encoding.writeVarString(e, s))]),
  any: anys.map(([described, value]) => [described, encoded(e => encoding.writeAny(e, value))])
})

// messages -----------------------------------------------------------------------------------------------------------

const make = (clientID, edit) => {
  const doc = new Y.Doc()
  doc.clientID = clientID
  if (edit) edit(doc)
  return doc
}

const hello = make(4242, doc => doc.getText('t').insert(0, 'hello'))
const framed = (outer, write) => encoded(e => { encoding.writeVarUint(e, outer); write(e) })
const presence = new awarenessProtocol.Awareness(hello)
presence.setLocalState({ user: { name: 'Ann', color: '#f00' }, note: 'ü "quoted" \u2028' })
const shown = awarenessProtocol.encodeAwarenessUpdate(presence, [4242])
const gone = awarenessProtocol.encodeAwarenessUpdate(presence, [4242], new Map())
presence.destroy()

save('messages.json', {
  state_vector: hex(Y.encodeStateVector(hello)),
  update: hex(Y.encodeStateAsUpdate(hello)),
  awareness: hex(shown),
  awareness_gone: hex(gone),
  sync_step1: framed(0, e => syncProtocol.writeSyncStep1(e, hello)),
  sync_step2: framed(0, e => syncProtocol.writeSyncStep2(e, hello)),
  sync_update: framed(0, e => syncProtocol.writeUpdate(e, Y.encodeStateAsUpdate(hello))),
  awareness_message: framed(1, e => encoding.writeVarUint8Array(e, shown)),
  query_awareness: framed(3, () => {}),
  permission_denied: framed(2, e => authProtocol.writePermissionDenied(e, 'not today: ü'))
})

// updates ------------------------------------------------------------------------------------------------------------

// A small, fixed stream of numbers (a linear congruential generator), so that the edits are the same every time.
const numbers = seed => () => {
  seed = (seed * 1103515245 + 12345) % 2147483648
  return seed / 2147483648
}

const recorded = (doc, edit) => {
  const updates = []
  const keep = update => updates.push(update)
  doc.on('update', keep)
  edit(doc)
  doc.off('update', keep)
  return updates
}

const cases = {}
const add = (name, updates) => { cases[name] = updates.map(hex) }

add('empty document', [Y.encodeStateAsUpdate(make(1))])

add('typing', recorded(make(7), doc => {
  const text = doc.getText('t')
  'hello 👋🏽 wörld'.split('').forEach((c, i) => text.insert(i, c))
  text.delete(2, 3)
}))

add('rich text', recorded(make(2 ** 32 - 1), doc => {
  const text = doc.getText('rich')
  text.insert(0, 'bold and plain', { bold: true })
  text.format(2, 5, { bold: null, color: '#ff0000', link: { href: 'https://example.org/"x"' } })
  text.insertEmbed(3, { image: 'data:,', size: [1, 2.5] })
  text.applyDelta([{ retain: 4 }, { delete: 2 }, { insert: '😀' }])
}))

add('maps and arrays', recorded(make(99), doc => {
  const map = doc.getMap('m')
  map.set('number', 1.5)
  map.set('number', 2)
  map.set('nothing', null)
  map.set('undefined', undefined)
  map.set('bytes', new Uint8Array([1, 2, 3]))
  map.set('big', 2n ** 60n)
  map.set('nested', { a: [1, { b: 'c' }], d: true })
  map.set('', 'an empty key')
  map.delete('nothing')
  const array = doc.getArray('a')
  array.insert(0, [1, 'two', [3], { four: 4 }, false, null])
  array.insert(2, [new Y.Map([['x', 1]]), new Y.Text('inner'), new Y.Array()])
  array.delete(1, 4)
}))

add('xml', recorded(make(31), doc => {
  const fragment = doc.getXmlFragment('prosemirror')
  const paragraph = new Y.XmlElement('paragraph')
  const text = new Y.XmlText('some text')
  paragraph.setAttribute('align', 'left')
  fragment.insert(0, [paragraph, new Y.XmlElement('hr')])
  paragraph.insert(0, [text])
  text.format(0, 4, { strong: {} })
  fragment.insert(2, [new Y.XmlFragment()])
  fragment.delete(1, 1)
}))

add('subdocuments', recorded(make(12), doc => {
  doc.getMap('folder').set('note', new Y.Doc({ guid: 'note-1', meta: { title: 'ü' }, autoLoad: true }))
  doc.getMap('folder').set('plain', new Y.Doc({ guid: 'note-2' }))
}))

add('half a surrogate pair', recorded(make(55), doc => {
  const text = doc.getText('t')
  text.insert(0, 'a😀b')
  text.insert(2, 'x')
}))

const pair = () => {
  const left = make(1000)
  const right = make(2000)
  const updates = []
  left.on('update', (update, origin) => { if (origin !== 'far') updates.push(update) })
  right.on('update', (update, origin) => { if (origin !== 'far') updates.push(update) })
  const random = numbers(42)
  for (let round = 0; round < 40; round++) {
    for (const doc of [left, right]) {
      const text = doc.getText('t')
      const at = Math.floor(random() * (text.length + 1))
      if (random() < 0.3 && text.length > 4) {
        text.delete(Math.min(at, text.length - 2), 2)
      } else {
        text.insert(at, ['a', 'bc', '😀', 'é', 'long words'][Math.floor(random() * 5)])
      }
    }
    if (round % 5 === 4) {
      Y.applyUpdate(left, Y.encodeStateAsUpdate(right, Y.encodeStateVector(left)), 'far')
      Y.applyUpdate(right, Y.encodeStateAsUpdate(left, Y.encodeStateVector(right)), 'far')
    }
  }
  return { left, updates }
}

const { left, updates } = pair()
add('two people', updates)
add('two people, merged', [Y.mergeUpdates(updates)])
add('two people, as one state', [Y.encodeStateAsUpdate(left)])
add('two people, from the middle', [Y.diffUpdate(Y.mergeUpdates(updates), Y.encodeStateVector(make(5))), Y.encodeStateAsUpdate(left, Y.encodeStateVectorFromUpdate(Y.mergeUpdates(updates.slice(0, 30))))])
add('merged with gaps (Skip structs)', [Y.mergeUpdates(updates.filter((_, i) => i % 4 !== 1))])

const waiting = make(3000)
updates.slice(20).forEach(update => Y.applyUpdate(waiting, update))
add('a state with pending structs', [Y.encodeStateAsUpdate(waiting)])

const collected = make(77, doc => {
  const array = doc.getArray('a')
  array.insert(0, [new Y.Text('gone'), new Y.Map([['k', new Y.Array()]])])
  array.delete(0, 2)
  array.insert(0, ['kept'])
})
add('collected garbage (GC structs)', [Y.encodeStateAsUpdate(collected)])

save('updates.json', cases)
