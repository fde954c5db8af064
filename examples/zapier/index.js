// Ask people from Zaps, and start Zaps on their decisions. `zapier push` uploads this folder as a private integration.
const { authentication, withKey, readable } = require("./authentication");
const { createRequest, getResponse, updateRequest } = require("./actions");
const { loops, requestCompleted, requestCreated, requestEscalated } = require("./triggers");

module.exports = {
  version: require("./package.json").version,
  platformVersion: require("zapier-platform-core").version,
  authentication,
  beforeRequest: [withKey],
  afterResponse: [readable],
  triggers: Object.fromEntries(
    [requestCreated, requestCompleted, requestEscalated, loops].map((trigger) => [trigger.key, trigger]),
  ),
  creates: { [createRequest.key]: createRequest, [updateRequest.key]: updateRequest },
  searches: { [getResponse.key]: getResponse },
};
