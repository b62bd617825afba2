// A mock OpenAI-compatible server for the call benchmarks: every reply takes LATENCY ms. Prints its port.
import { createServer } from 'node:http';

const latency = Number(process.argv[2]);
let n = 0;
createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    n += 1;
    const content = `This is reply number ${n}, and it says something that no other reply says, namely ${n * 7919}.`;
    const body = JSON.stringify({
      id: `c${n}`,
      object: 'chat.completion',
      created: 0,
      model: 'mock',
      choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 200, completion_tokens: 25, total_tokens: 225 },
    });
    setTimeout(() => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(body);
    }, latency);
  });
}).listen(0, '127.0.0.1', function () {
  console.log(this.address().port);
});
