const form = document.querySelector("#ask");
const said = document.querySelector("#said");

async function given() {
  const reply = await fetch("/token", { method: "POST" });
  if (!reply.ok) throw new Error("This page's own server gave no token.");
  return reply.json();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const { baseUrl, loopId } = await given();
    const { HITLIntegration } = await import(`${baseUrl}/v1/browser/hitl.js`);
    const hitl = new HITLIntegration(async () => (await given()).token, baseUrl);
    const request = await hitl.submitForReview({ text: document.querySelector("#text").value, page: document.title }, loopId);
    said.textContent = `Waiting for a person (${request.id})`;
    const answer = await hitl.waitFor(request.id);
    said.textContent = answer.decision === "approved" ? "Approved" : `Not approved: ${answer.comment || answer.decision}`;
  } catch (error) {
    said.textContent = error.message;
  }
});
