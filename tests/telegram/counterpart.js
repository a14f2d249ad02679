// telegram-test-api, somebody else's Bot API, for the tests of the bot. It prints its port, and ends with its standard input.
//
// In front of it stands a small server, for what that one leaves out: getMe with what the Bot API requires, getWebhookInfo, a getUpdates
// that waits a moment, and the writing of methods that its programs use. Everything else is answered by it alone.
'use strict';
const http = require('http');
const TelegramServer = require('telegram-test-api');

const me = { id: 666, is_bot: true, first_name: 'Test', username: 'TestNameBot', can_join_groups: true,
  can_read_all_group_messages: false, supports_inline_queries: false };
const own = {
  getme: () => me,
  getwebhookinfo: () => ({ url: '', has_custom_certificate: false, pending_update_count: 0 }),
  setmycommands: () => true,
};

async function freePort() {
  const server = http.createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

function answer(response, status, type, body) {
  response.writeHead(status, { 'content-type': type });
  response.end(body);
}

async function main() {
  const port = await freePort();
  const inner = new TelegramServer({ port, host: '127.0.0.1' });
  await inner.start();
  const front = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', async () => {
      const method = (request.url.match(/^\/bot[^/]+\/(\w+)/) || [])[1];
      const said = own[(method || '').toLowerCase()];
      if (said) return answer(response, 200, 'application/json', JSON.stringify({ ok: true, result: said() }));
      if (/^getupdates$/i.test(method || '')) await new Promise((done) => setTimeout(done, 100));
      const body = Buffer.concat(chunks);
      const options = { host: '127.0.0.1', port, method: request.method, path: request.url,
        headers: { 'content-type': request.headers['content-type'] || 'application/json', 'content-length': body.length } };
      const passed = http.request(options, (result) => {
        const parts = [];
        result.on('data', (part) => parts.push(part));
        result.on('end', () => answer(response, result.statusCode, result.headers['content-type'] || 'application/json', Buffer.concat(parts)));
      });
      passed.on('error', (error) => answer(response, 502, 'text/plain', String(error)));
      passed.end(body);
    });
  });
  front.listen(0, '127.0.0.1', () => console.log(front.address().port));
  process.stdin.resume();
  process.stdin.on('end', () => process.exit(0));
}

main().catch((error) => { console.error(error); process.exit(1); });
