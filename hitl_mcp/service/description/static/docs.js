"use strict";

// A call goes to the name under which this page was opened: the browser allows no other, and it is the same service.
function toThisService(call) {
  const address = new URL(call.url, window.location.origin);
  call.url = window.location.origin + address.pathname + address.search;
  return call;
}

window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  docExpansion: "list",
  persistAuthorization: false,
  requestInterceptor: toThisService,
  validatorUrl: null,
});
