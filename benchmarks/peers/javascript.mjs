// The AWS SDK for JavaScript v3: as many callers share one client. Arguments: URL CALLS CALLERS.
import { ChimeSDKVoiceClient, CreateProxySessionCommand } from "@aws-sdk/client-chime-sdk-voice";
import { Agent } from "node:http";

const [url, calls, callers] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const client = new ChimeSDKVoiceClient({
  endpoint: url,
  maxAttempts: 1,
  requestHandler: { httpAgent: new Agent({ keepAlive: true, maxSockets: callers }) },
});
const request = {
  VoiceConnectorId: "abcdef1ghij2klmno3pqr4",
  ParticipantPhoneNumbers: ["+14155550100", "+14155550101"],
  Capabilities: ["Voice", "SMS"],
};
const latencies = [];
let turns = calls;

async function work() {
  while (turns-- > 0) {
    const began = performance.now();
    await client.send(new CreateProxySessionCommand(request));
    latencies.push((performance.now() - began) / 1000);
  }
}

const began = performance.now();
await Promise.all(Array.from({ length: callers }, work));
const seconds = (performance.now() - began) / 1000;
latencies.sort((a, b) => a - b);
const [p50, p99] = [0.5, 0.99].map((share) => latencies[Math.floor(calls * share)]);
console.log(JSON.stringify({ calls: latencies.length, seconds, p50, p99 }));
client.destroy();
