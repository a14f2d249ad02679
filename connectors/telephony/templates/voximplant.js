// Leadgate: tells of the calls of this scenario.
// In:  const answered = leadgate(call, "in");                 where the scenario gets a call
// Out: const answered = leadgate(call, "out", number, line);  where it calls a customer
// and answered("ivanov") when a person, not a menu, is connected.
const LEADGATE_URL = "https://leads.company.com/in/voximplant/TOKEN";
const LEADGATE_KEY = "the source's secret";

function leadgate(call, direction, number, line) {
  const told = {
    call_id: call.id(),
    direction: direction,
    number: number || call.callerid(),
    line: line || call.number(),
    started_at: Date.now(),
  };
  const tell = (event, more) => {
    const body = JSON.stringify(Object.assign({ event: event }, told, more));
    const signature = "sha256=" + Crypto.hmac_sha256(LEADGATE_KEY, body);
    const headers = ["Content-Type: application/json", "X-Leadgate-Signature: " + signature];
    return Net.httpRequestAsync(LEADGATE_URL, { method: "POST", headers: headers, postData: body });
  };
  const end = (outcome) => tell("finished", { ended_at: Date.now(), outcome: outcome });
  call.addEventListener(CallEvents.RecordStarted, (event) => { told.recording = event.url; });
  call.addEventListener(CallEvents.Failed, (event) => { end(event.code === 486 ? "busy" : "no_answer"); });
  call.addEventListener(CallEvents.Disconnected, () => { end(told.answered_at ? "answered" : "cancelled"); });
  tell("started", {});
  return function answered(agent) {
    told.agent = agent;
    told.answered_at = Date.now();
    tell("answered", {});
  };
}
