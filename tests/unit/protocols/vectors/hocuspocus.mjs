// Writes hocuspocus.json beside this file: what Hocuspocus' own provider and server say. Run it with Node 22:
//
//     npm install @hocuspocus/provider@4.8 @hocuspocus/server@4.8 yjs@13 y-protocols@1 && node hocuspocus.mjs
//
// Ids are fixed and nothing reads the clock, so running it again changes nothing unless a library did.

import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import { OutgoingMessage } from '@hocuspocus/server'
import * as Y from 'yjs'

const here = dirname(fileURLToPath(import.meta.url))
const hex = bytes => Buffer.from(bytes).toString('hex')
const vectors = {}

// What a provider sends, taken down where it would reach the network.

const said = []
const taken = () => said.splice(0)
const socket = new HocuspocusProviderWebsocket({ url: 'ws://localhost', autoConnect: false, WebSocketPolyfill: class {} })
socket.send = message => said.push(hex(message))

const provide = async (prefix, options) => {
  const document = new Y.Doc()
  document.clientID = 4242
  document.getText('t').insert(0, 'hello')
  const provider = new HocuspocusProvider({ websocketProvider: socket, document, ...options })
  provider.sessionId = 'session1'
  clearInterval(provider.awareness._checkInterval)
  provider.awareness.setLocalState({ user: { name: 'Ann ü' } })
  provider.attach()
  taken()
  await provider.onOpen()
  ;[vectors[prefix + 'token'], vectors[prefix + 'step1'], vectors[prefix + 'awareness']] = taken()
  document.getText('t').insert(5, '!')
  provider.sendStateless('stateless ü')
  ;[vectors[prefix + 'update'], vectors[prefix + 'stateless']] = taken()
  provider.onMessage({ data: new OutgoingMessage(provider.effectiveName).createSyncMessage().writeFirstSyncStepFor(new Y.Doc()).toUint8Array() })
  ;[vectors[prefix + 'step2']] = taken()
  provider.detach()
  ;[vectors[prefix + 'close']] = taken()
}

await provide('', { name: 'dokument ü', token: 'secret ü' })
await provide('session_', { name: 'dokument ü', token: null, sessionAwareness: true })

// What a server sends.

const server = (name, write) => {
  const message = new OutgoingMessage('dokument ü')
  write(message)
  vectors[name] = hex(message.toUint8Array())
}
server('server_token_request', message => message.writeTokenSyncRequest())
server('server_denied', message => message.writePermissionDenied('not today: ü'))
server('server_read_write', message => message.writeAuthenticated(false))
server('server_readonly', message => message.writeAuthenticated(true))
server('server_stateless', message => message.writeStateless('stateless ü'))
server('server_close', message => message.writeCloseMessage('bye ü'))
server('server_saved', message => message.writeSyncStatus(true))
server('server_not_saved', message => message.writeSyncStatus(false))
server('server_query_awareness', message => message.writeQueryAwareness())
server('server_reply', message => message.createSyncReplyMessage())
server('server_broadcast_stateless', message => message.writeBroadcastStateless('among servers'))

writeFileSync(join(here, 'hocuspocus.json'), JSON.stringify(vectors, null, 1) + '\n')
process.exit(0)
