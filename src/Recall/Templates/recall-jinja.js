// Runs in the scope of huggingface-jinja.js, after it. Its classes are `var`s, so that parse() sees those put in their place here.

// Lines. Tokens and nodes carry none: the tokens read so far tell how many tags were opened, and the source where each tag stands.
let currentLine = 1;

function tagPlaces(source) {
  const places = [];
  for (let i = 0, line = 1; i + 1 < source.length; ++i) {
    if (source[i] === "\n") ++line;
    if (source[i] !== "{" || !"{%#".includes(source[i + 1])) continue;
    places.push({ start: i, line });
    const close = { "{": "}}", "%": "%}", "#": "#}" }[source[i + 1]];
    let quote = "";
    for (i += 2; i < source.length; ++i) {
      if (source[i] === "\n") ++line;
      if (quote !== "") {
        if (source[i] === "\\") ++i;
        else if (source[i] === quote) quote = "";
      } else if (close !== "#}" && (source[i] === "'" || source[i] === '"')) quote = source[i];
      else if (source.startsWith(close, i)) break;
    }
    ++i;
  }
  return places;
}

function tracked(tokens, places) {
  const opens = [TOKEN_TYPES.OpenStatement, TOKEN_TYPES.OpenExpression, TOKEN_TYPES.Comment];
  let tags = 0;
  const lines = tokens.map((token) => {
    if (opens.includes(token.type)) ++tags;
    return places[Math.min(Math.max(tags - 1, 0), places.length - 1)]?.line ?? 1;
  });
  return new Proxy(tokens, {
    get(target, key) {
      if (typeof key === "string" && key !== "length" && key in lines && lines[key] > currentLine) currentLine = lines[key];
      return target[key];
    },
  });
}

function withLine(Node) {
  return class extends Node {
    line = currentLine;
  };
}

If = withLine(If);
For = withLine(For);
SetStatement = withLine(SetStatement);
Macro = withLine(Macro);
MemberExpression = withLine(MemberExpression);
CallExpression = withLine(CallExpression);
Identifier = withLine(Identifier);
BinaryExpression = withLine(BinaryExpression);
FilterExpression = withLine(FilterExpression);
TestExpression = withLine(TestExpression);
UnaryExpression = withLine(UnaryExpression);
SliceExpression = withLine(SliceExpression);
CallStatement = withLine(CallStatement);
FilterStatement = withLine(FilterStatement);

/** The line of the first tag whose text alone is already refused: lexer errors say no place. */
function lexerErrorLine(source, options, places) {
  let low = 0, high = places.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    let refused = false;
    try {
      tokenize(source.slice(0, places[middle + 1].start), options);
    } catch {
      refused = true;
    }
    if (refused) high = middle;
    else low = middle + 1;
  }
  return places[low]?.line ?? 1;
}

function failure(error, line) {
  if (error instanceof RangeError && error.recall === undefined) throw error;
  return { error: String(error?.message ?? error), line: error?.line ?? line, unknown: error?.unknown };
}

function recallParse(source, trim) {
  const options = { lstrip_blocks: trim, trim_blocks: trim };
  source = source.replace(/\{%-?\s*raw\s*-?%\}([\s\S]*?)\{%-?\s*endraw\s*-?%\}/g, (_, raw) => `{{ "${raw.replace(/[\\"]/g, "\\$&")}" }}`);
  // The lexer drops one line end at the end, which lm-eval keeps (keep_trailing_newline).
  if (!trim && source.endsWith("\n")) source += "\n";
  const places = tagPlaces(source);
  let tokens;
  try {
    tokens = tokenize(source, options);
  } catch (error) {
    return failure(error, lexerErrorLine(source, options, places));
  }
  currentLine = 1;
  try {
    return { program: parse(tracked(tokens, places)) };
  } catch (error) {
    if (error instanceof TypeError) error.message = "the template ends too early: a closing }} or a tag like {% endif %} is missing";
    return failure(error, currentLine);
  }
}

// Values print as Python prints them.
function floatText(value) {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e16 || size < 1e-4))
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  const text = String(value);
  return text.includes(".") ? text : text + ".0";
}

function quoted(text) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escapes = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
  let result = quote;
  for (const c of text) {
    const code = c.codePointAt(0);
    if (c === quote) result += "\\" + c;
    else if (escapes[c] !== undefined) result += escapes[c];
    else if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0xad) result += "\\x" + code.toString(16).padStart(2, "0");
    else result += c;
  }
  return result + quote;
}

function repr(value) {
  if (value instanceof StringValue) return quoted(value.value);
  if (value instanceof TupleValue) return value.value.length === 1 ? `(${repr(value.value[0])},)` : `(${value.value.map(repr).join(", ")})`;
  if (value instanceof ArrayValue) return `[${value.value.map(repr).join(", ")}]`;
  if (value instanceof ObjectValue) return `{${[...value.value].map(([key, item]) => `${quoted(key)}: ${repr(item)}`).join(", ")}}`;
  if (value instanceof BooleanValue) return value.value ? "True" : "False";
  if (value instanceof NullValue) return "None";
  if (value instanceof UndefinedValue) return "";
  return value.toString();
}

FloatValue.prototype.toString = function () {
  return floatText(this.value);
};
for (const Value of [ArrayValue, TupleValue, ObjectValue, BooleanValue, NullValue, UndefinedValue])
  Value.prototype.toString = function () {
    return repr(this);
  };

const statements = ["Set", "Macro", "Comment", "If", "For", "CallStatement", "FilterStatement", "Break", "Continue"];
const comparisons = ["<", ">", "<=", ">=", "==", "!=", "in", "not in"];

function equal(a, b) {
  if (isNumericLikeValue(a) && isNumericLikeValue(b)) return getNumericValue(a) == getNumericValue(b);
  if (a instanceof ArrayValue && b instanceof ArrayValue)
    return a instanceof TupleValue === b instanceof TupleValue && a.value.length === b.value.length && a.value.every((item, i) => equal(item, b.value[i]));
  if (a instanceof ObjectValue && b instanceof ObjectValue)
    return a.value.size === b.value.size && [...a.value].every(([key, item]) => b.value.has(key) && equal(item, b.value.get(key)));
  return a.type === b.type && a.value === b.value;
}

/** Below zero, zero or above, as Python orders numbers, texts (by code point) and lists. */
function order(a, b) {
  if (isNumericLikeValue(a) && isNumericLikeValue(b)) {
    const x = getNumericValue(a), y = getNumericValue(b);
    return x < y ? -1 : x > y ? 1 : 0;
  }
  const lists = a instanceof ArrayValue && b instanceof ArrayValue, texts = a instanceof StringValue && b instanceof StringValue;
  if (!lists && !texts) throw new Error(`${kind(a)} and ${kind(b)} have no order`);
  const x = lists ? a.value : [...a.value], y = lists ? b.value : [...b.value];
  for (let i = 0; i < Math.min(x.length, y.length); ++i) {
    const step = lists ? order(x[i], y[i]) : x[i].codePointAt(0) - y[i].codePointAt(0);
    if (step !== 0) return step;
  }
  return x.length - y.length;
}

function kind(value) {
  return { StringValue: "a text", IntegerValue: "a number", FloatValue: "a number", BooleanValue: "a truth value", NullValue: "None", UndefinedValue: "a value that is not there" }[value.type] ?? "a list or mapping";
}

function numberOf(value, ...from) {
  if (typeof value === "bigint" || !Number.isFinite(value)) return from.some((item) => item instanceof FloatValue) ? new FloatValue(Number(value)) : new IntegerValue(value);
  return from.some((item) => item instanceof FloatValue) ? new FloatValue(value) : new IntegerValue(value);
}

function arithmetic(operator, left, right) {
  const a = getNumericValue(left), b = getNumericValue(right);
  if (typeof a === "bigint" || typeof b === "bigint") throw new Error("an integer beyond 2^53 can be printed, but not reckoned with");
  if (["/", "//", "%"].includes(operator) && b === 0) throw new Error("division by zero");
  switch (operator) {
    case "+": return numberOf(a + b, left, right);
    case "-": return numberOf(a - b, left, right);
    case "*": return numberOf(a * b, left, right);
    case "/": return new FloatValue(a / b);
    case "//": return numberOf(Math.floor(a / b), left, right);
    case "%": return numberOf(a - b * Math.floor(a / b), left, right);
    case "**": return b < 0 ? new FloatValue(a ** b) : numberOf(a ** b, left, right);
  }
  return undefined;
}

/** Python's old way to format: %s, %r, %d, %f, %e, %g, %x, with width and precision. */
function formatOld(template, values) {
  let next = 0;
  return template.replace(/%([-+ 0#]*)(\d*)(?:\.(\d+))?([a-zA-Z%])/g, (whole, flags, width, precision, type) => {
    if (type === "%") return "%";
    if (next >= values.length) throw new Error("not enough values for the format");
    const value = values[next++];
    let text;
    if (type === "s") text = value.toString();
    else if (type === "r") text = repr(value);
    else if (!isNumericLikeValue(value)) throw new Error(`%${type} takes a number, not ${kind(value)}`);
    else if (type === "d" || type === "i") text = String(Math.trunc(Number(getNumericValue(value))));
    else if (type === "f") text = Number(getNumericValue(value)).toFixed(precision ? Number(precision) : 6);
    else if (type === "x") text = Math.trunc(Number(getNumericValue(value))).toString(16);
    else throw new Error(`the format ${whole} is not known here`);
    if (type === "s" && precision) text = text.slice(0, Number(precision));
    if (flags.includes("+") && type !== "s" && !text.startsWith("-")) text = "+" + text;
    const missing = Number(width || 0) - text.length;
    if (missing <= 0) return text;
    if (flags.includes("-")) return text + " ".repeat(missing);
    if (flags.includes("0") && type !== "s") return text.replace(/^([-+]?)/, "$1" + "0".repeat(missing));
    return " ".repeat(missing) + text;
  });
}

/** To the nearest, halves to even, as Python rounds. */
function rounded(value, digits, method) {
  const scale = 10 ** digits, scaled = value * scale;
  if (method === "ceil") return Math.ceil(scaled) / scale;
  if (method === "floor") return Math.floor(scaled) / scale;
  if (digits === 0) return Math.abs(scaled % 1) === 0.5 ? 2 * Math.round(scaled / 2) : Math.round(scaled);
  return Number(value.toFixed(digits));
}

function items(value) {
  if (value instanceof ArrayValue) return value.value;
  if (value instanceof StringValue) return [...value.value].map((c) => new StringValue(c));
  if (value instanceof ObjectValue) return [...value.value.keys()].map((key) => new StringValue(key));
  if (value instanceof UndefinedValue) return [];
  throw new Error(`${kind(value)} has no items`);
}

function attributed(value, named) {
  const attribute = named.get("attribute");
  return attribute === undefined ? items(value) : items(value).map((item) => getAttributeValue(item, String(attribute.value)));
}

/** JSON as Python's json.dumps writes it; in tasks as Jinja's own filter does: keys sorted, nothing that HTML would read. */
function jsonText(value, task) {
  if (value instanceof StringValue) {
    const text = JSON.stringify(value.value);
    return task ? text.replace(/[<>&'\u007f-\uffff]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0")) : text;
  }
  if (value instanceof ArrayValue) return `[${value.value.map((item) => jsonText(item, task)).join(", ")}]`;
  if (value instanceof ObjectValue) {
    const keys = [...value.value.keys()];
    if (task) keys.sort();
    return `{${keys.map((key) => `${jsonText(new StringValue(key), task)}: ${jsonText(value.value.get(key), task)}`).join(", ")}}`;
  }
  if (value instanceof BooleanValue) return String(value.value);
  if (value instanceof NullValue) return "null";
  if (isNumericLikeValue(value)) return value.toString();
  throw new Error(`${kind(value)} cannot be written as JSON`);
}

function tuples(list) {
  return new ArrayValue(list.value.map((pair) => new TupleValue(pair.value)));
}

const filters = {
  title: (value) => new StringValue(value.toString().replace(/[^-\s({[<]+/g, (word) => word[0].toUpperCase() + word.slice(1).toLowerCase())),
  capitalize: (value) => new StringValue(value.toString().slice(0, 1).toUpperCase() + value.toString().slice(1).toLowerCase()),
  length: (value) => new IntegerValue(items(value).length),
  count: (value) => new IntegerValue(items(value).length),
  list: (value) => new ArrayValue(items(value)),
  first: (value) => items(value)[0] ?? new UndefinedValue(),
  last: (value) => items(value).at(-1) ?? new UndefinedValue(),
  string: (value) => new StringValue(value.toString()),
  join: (value, [separator], named) => new StringValue(attributed(value, named).map((item) => item.toString()).join((separator ?? named.get("d"))?.value ?? "")),
  sum: (value, [, start], named) => attributed(value, named).reduce((total, item) => arithmetic("+", total, item), start ?? named.get("start") ?? new IntegerValue(0)),
  max: (value, _, named) => attributed(value, named).reduce((best, item) => (order(item, best) > 0 ? item : best)),
  min: (value, _, named) => attributed(value, named).reduce((best, item) => (order(item, best) < 0 ? item : best)),
  round: (value, [digits, method], named) => new FloatValue(rounded(Number(getNumericValue(value)), Number((digits ?? named.get("precision"))?.value ?? 0), (method ?? named.get("method"))?.value)),
  format: (value, values) => new StringValue(formatOld(value.value, values)),
  wordcount: (value) => new IntegerValue(value.value.split(/\s+/).filter((word) => word !== "").length),
  regex_replace: (value, [pattern, replacement, count]) => {
    let left = Number(count?.value ?? 0) || Infinity;
    const substitute = replacement.value.replace(/\$/g, "$$$$").replace(/\\g<(\w+)>|\\(\d)/g, (_, name, digit) => "$" + (digit ?? (/^\d+$/.test(name) ? name : `<${name}>`)));
    const expression = new RegExp(pattern.value.replace(/\(\?P</g, "(?<"), "u");
    let rest = value.value, result = "";
    for (let match; left-- > 0 && (match = expression.exec(rest)) !== null; ) {
      const end = match.index + Math.max(match[0].length, 1);
      result += rest.slice(0, match.index) + match[0].replace(expression, substitute) + (match[0] === "" ? rest.slice(match.index, end) : "");
      rest = rest.slice(end);
      if (rest === "") break;
    }
    return new StringValue(result + rest);
  },
};

function method(work) {
  return new FunctionValue((args) => work(args.filter((argument) => !(argument instanceof KeywordArgumentsValue))));
}

function found(index, what) {
  if (index < 0) throw new Error(`${repr(what)} is not in it`);
  return new IntegerValue(index);
}

const textMethods = {
  find: (text) => method(([part]) => new IntegerValue(text.indexOf(part.value))),
  index: (text) => method(([part]) => found(text.indexOf(part.value), part)),
  count: (text) => method(([part]) => new IntegerValue(part.value === "" ? [...text].length + 1 : text.split(part.value).length - 1)),
  zfill: (text) => method(([width]) => new StringValue(text.replace(/^([-+]?)/, "$1" + "0".repeat(Math.max(0, width.value - text.length))))),
  isdigit: (text) => method(() => new BooleanValue(/^\p{Nd}+$/u.test(text))),
  isalpha: (text) => method(() => new BooleanValue(/^\p{L}+$/u.test(text))),
  join: (text) => method(([list]) => new StringValue(items(list).map((item) => item.toString()).join(text))),
  removeprefix: (text) => method(([part]) => new StringValue(text.startsWith(part.value) ? text.slice(part.value.length) : text)),
  removesuffix: (text) => method(([part]) => new StringValue(part.value !== "" && text.endsWith(part.value) ? text.slice(0, -part.value.length) : text)),
  capitalize: (text) => method(() => new StringValue(text.slice(0, 1).toUpperCase() + text.slice(1).toLowerCase())),
  title: (text) => method(() => new StringValue(text.toLowerCase().replace(/\p{L}+/gu, (word) => word[0].toUpperCase() + word.slice(1)))),
};

const listMethods = {
  index: (list) => method(([item]) => found(list.value.findIndex((other) => equal(other, item)), item)),
  count: (list) => method(([item]) => new IntegerValue(list.value.filter((other) => equal(other, item)).length)),
};

const setVariable = Environment.prototype.setVariable;
Environment.prototype.setVariable = function (name, value) {
  if (name === "loop" && value instanceof ObjectValue && value.value.has("index0"))
    value.value.set("cycle", method((choices) => choices[value.value.get("index0").value % choices.length]));
  return setVariable.call(this, name, value);
};

class RecallInterpreter extends Interpreter {
  constructor(environment, strict) {
    super(environment);
    this.strict = strict;
  }

  evaluate(node, environment) {
    if (node?.type === "RecallValue") return node.value;
    try {
      return super.evaluate(node, environment);
    } catch (error) {
      if (typeof error === "object" && error !== null && error.line === undefined && node?.line !== undefined) error.line = node.line;
      throw error;
    }
  }

  evaluateBlock(nodes, environment) {
    let result = "";
    for (const node of nodes) {
      const value = this.evaluate(node, environment);
      if (statements.includes(node.type)) {
        if (value instanceof StringValue) result += value.value;
        continue;
      }
      // An inline if without else prints nothing.
      if (value instanceof UndefinedValue) node.type === "SelectExpression" || node.type === "Ternary" || this.refuse(node);
      else result += value.toString();
    }
    return new StringValue(result);
  }

  evaluateFor(node, environment) {
    const select = node.iterable.type === "SelectExpression" ? node.iterable : undefined;
    const source = select?.lhs ?? node.iterable;
    const value = this.evaluate(source, environment);
    if (value instanceof UndefinedValue) this.refuse(source);
    // The library goes through lists of lists; texts and tuples become such.
    const list = items(value).map((item) => (item instanceof TupleValue && node.loopvar.type === "TupleLiteral" ? new ArrayValue(item.value) : item));
    const known = { type: "RecallValue", value: new ArrayValue(list) };
    const copy = Object.assign(Object.create(Object.getPrototypeOf(node)), node);
    copy.iterable = select === undefined ? known : Object.assign(Object.create(Object.getPrototypeOf(select)), select, { lhs: known });
    return super.evaluateFor(copy, environment);
  }

  evaluateBinaryExpression(node, environment) {
    const operator = node.operator.value;
    if (operator === "and" || operator === "or") return super.evaluateBinaryExpression(node, environment);
    if (comparisons.includes(operator) && node.left.type === "BinaryExpression" && comparisons.includes(node.left.operator.value))
      throw new Error("comparisons in a row are not read here: join them with 'and'");
    const left = this.evaluate(node.left, environment), right = this.evaluate(node.right, environment);
    for (const [side, value] of [[node.left, left], [node.right, right]]) if (value instanceof UndefinedValue) this.refuse(side);
    switch (operator) {
      case "==": return new BooleanValue(equal(left, right));
      case "!=": return new BooleanValue(!equal(left, right));
      case "<": return new BooleanValue(order(left, right) < 0);
      case ">": return new BooleanValue(order(left, right) > 0);
      case "<=": return new BooleanValue(order(left, right) <= 0);
      case ">=": return new BooleanValue(order(left, right) >= 0);
      case "~": return new StringValue(left.toString() + right.toString());
      case "in":
      case "not in": {
        let member;
        if (right instanceof StringValue) {
          if (!(left instanceof StringValue)) throw new Error(`'in' asks for a text in a text, not ${kind(left)}`);
          member = right.value.includes(left.value);
        } else member = items(right).some((item) => equal(item, left));
        return new BooleanValue(member === (operator === "in"));
      }
    }
    if (isNumericLikeValue(left) && isNumericLikeValue(right)) return arithmetic(operator, left, right);
    if (operator === "+" && left instanceof StringValue && right instanceof StringValue) return new StringValue(left.value + right.value);
    if (operator === "+" && left instanceof ArrayValue && right instanceof ArrayValue) return new ArrayValue(left.value.concat(right.value));
    if (operator === "%" && left instanceof StringValue) return new StringValue(formatOld(left.value, right instanceof TupleValue ? right.value : [right]));
    if (operator === "*") {
      const [many, times] = left instanceof IntegerValue ? [right, left] : [left, right];
      if (times instanceof IntegerValue && (many instanceof StringValue || many instanceof ArrayValue)) {
        const count = Math.max(0, times.value);
        if (count * many.value.length > 1 << 24) throw new Error("repeats to more than 16 Mi items");
        if (many instanceof StringValue) return new StringValue(many.value.repeat(count));
        return new ArrayValue(Array.from({ length: count }, () => many.value).flat());
      }
    }
    throw new Error(`'${operator}' has no meaning between ${kind(left)} and ${kind(right)}`);
  }

  applyFilter(operand, node, environment) {
    const name = node.type === "Identifier" ? node.value : node.callee?.value;
    if (operand instanceof UndefinedValue && name !== "default" && name !== "d") this.refuse({ type: "Filter", line: node.line });
    if (node.type === "Identifier" && name === "tojson") return new StringValue(jsonText(operand, this.strict));
    if (Object.hasOwn(filters, name)) {
      const [positional, named] = node.type === "Identifier" ? [[], new Map()] : this.evaluateArguments(node.args, environment);
      return filters[name](operand, positional, named);
    }
    if (name === "d") node = node.type === "Identifier" ? { ...node, value: "default" } : { ...node, callee: { ...node.callee, value: "default" } };
    const filtered = super.applyFilter(operand, node, environment);
    return name === "dictsort" || name === "items" ? tuples(filtered) : filtered;
  }

  evaluateMemberExpression(node, environment) {
    const object = this.evaluate(node.object, environment);
    if (object instanceof UndefinedValue) {
      this.refuse(node.object);
      throw new Error("an attribute of a value that is not there");
    }
    if (!node.computed && node.property.type === "Identifier") {
      const name = node.property.value;
      if (object instanceof StringValue && Object.hasOwn(textMethods, name)) return textMethods[name](object.value);
      if (object instanceof ObjectValue && name === "items" && !object.value.has(name))
        return method(() => new ArrayValue([...object.value].map(([key, item]) => new TupleValue([new StringValue(key), item]))));
      if (object instanceof ArrayValue && Object.hasOwn(listMethods, name)) return listMethods[name](object);
    }
    const known = Object.assign(Object.create(Object.getPrototypeOf(node)), node, { object: { type: "RecallValue", value: object } });
    if (node.computed && node.property.type !== "SliceExpression" && (object instanceof ArrayValue || object instanceof StringValue)) {
      const index = this.evaluate(node.property, environment);
      if (isNumericLikeValue(index)) {
        const list = items(object), at = Number(getNumericValue(index));
        return list[at < 0 ? at + list.length : at] ?? new UndefinedValue();
      }
      known.property = { type: "RecallValue", value: index };
    }
    return super.evaluateMemberExpression(known, environment);
  }

  refuse(node) {
    if (!this.strict) return;
    const error = new Error(node.type === "Identifier" ? `${node.value} is not there` : "a value is not there");
    if (node.type === "Identifier") error.unknown = node.value;
    if (node.line !== undefined) error.line = node.line;
    throw error;
  }
}

/** Numbers arrive as {"\u0000": text}: JSON alone cannot tell 1 from 1.0, nor hold an integer beyond 2^53. */
function toValue(input) {
  if (typeof input === "string") return new StringValue(input);
  if (input === null) return new NullValue();
  if (typeof input === "boolean") return new BooleanValue(input);
  if (Array.isArray(input)) return new ArrayValue(input.map(toValue));
  const number = input["\u0000"];
  if (typeof number === "string") {
    if (/[.eEnN]/.test(number)) return new FloatValue(Number(number));
    const integer = Number(number);
    return new IntegerValue(Number.isSafeInteger(integer) ? integer : BigInt(number));
  }
  return new ObjectValue(new Map(Object.entries(input).map(([key, value]) => [key, toValue(value)])));
}

function recallRender(program, json, strict) {
  try {
    const environment = new Environment();
    setupGlobals(environment);
    for (const [name, value] of Object.entries(JSON.parse(json))) environment.setVariable(name, toValue(value));
    return new RecallInterpreter(environment, strict).run(program).value;
  } catch (error) {
    return failure(error, 1);
  }
}
