// The description of the service for people, made from /openapi.json.

const $ = (id) => document.getElementById(id);

function element(name, className, ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** Return what a schema allows, in words, with links to named ones. */
function typeOf(schema) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    const link = element("a", "", name);
    link.href = `#${name}`;
    return [link];
  }
  if (schema.anyOf) return schema.anyOf.flatMap((one, i) => (i ? [" or ", ...typeOf(one)] : typeOf(one)));
  if (schema.enum) return [schema.enum.join(", ")];
  if (schema.type === "array") return ["list of ", ...typeOf(schema.items ?? {})];
  if (typeof schema.additionalProperties === "object") return ["object of ", ...typeOf(schema.additionalProperties)];
  return [schema.type ?? "anything"];
}

function route(path, method, operation) {
  const head = element("h3", "", element("code", "", `${method.toUpperCase()} ${path}`));
  const kinds = new Map(); // schema -> the statuses that come with it
  for (const [status, response] of Object.entries(operation.responses)) {
    const [content] = Object.values(response.content ?? {});
    const key = JSON.stringify(content?.schema ?? {});
    kinds.set(key, [...(kinds.get(key) ?? []), status]);
  }
  const answers = [...kinds].map(([schema, statuses]) =>
    element("li", "", element("code", "", statuses.join(", ")), " ", ...typeOf(JSON.parse(schema))),
  );
  const body = operation.requestBody?.content["application/json"].schema;
  const asked = body ? [element("p", "", "Body: ", ...typeOf(body))] : [];
  return element("article", "", head, element("p", "", operation.summary), ...asked, element("ul", "", ...answers));
}

function table(name, schema) {
  const rows = Object.entries(schema.properties ?? {}).map(([field, one]) => {
    const notes = [one.description ?? ""];
    if (schema.required?.includes(field)) notes.unshift("Always there. ");
    const head = element("th", "", element("code", "", field));
    head.scope = "row";
    return element("tr", "", head, element("td", "", ...typeOf(one)), element("td", "", ...notes));
  });
  const head = element("h3", "", name);
  head.id = name;
  const about = element("p", "", schema.description ?? (schema.enum ? schema.enum.join(", ") : ""));
  return element("article", "", head, about, ...(rows.length ? [element("table", "", element("tbody", "", ...rows))] : []));
}

const description = await (await fetch("/openapi.json")).json();
$("version").textContent = `Version ${description.info.version}`;
$("curl").textContent =
  `curl ${location.origin}/v1/predict -H 'Content-Type: application/json' \\\n` +
  `  -d '{"text": "Der Rat tagt am Montag.\\nJetzt spenden!"}'`;
for (const [path, operations] of Object.entries(description.paths)) {
  for (const [method, operation] of Object.entries(operations)) $("routes").append(route(path, method, operation));
}
for (const [name, schema] of Object.entries(description.components.schemas)) $("schemas").append(table(name, schema));
