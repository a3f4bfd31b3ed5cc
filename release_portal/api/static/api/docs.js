// Shows the document that the page names; requests from it carry no cookies.
"use strict";
const place = document.getElementById("reference");
SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  deepLinking: true,
  withCredentials: false,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
