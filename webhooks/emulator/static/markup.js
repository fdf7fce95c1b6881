// WhatsApp's own marks (*bold*, _italic_, ~strike~, `code`, ```block```) as elements. Text is only ever text: nothing
// here reads HTML.

const TAGS = { "*": "strong", _: "em", "~": "s", "`": "code" };
const BLOCK = /```\n?([\s\S]*?\S[\s\S]*?)\n?```/g;
const MARKED = /(?<![\p{L}\p{N}])([*_~`])(?!\1)(?=\S)([^\n]*?[^\s])\1(?![\p{L}\p{N}])/gu;

// A fragment that shows `text` as a phone does; a mark needs a word beside it, and does not reach over lines.
export function formatted(text) {
  const shown = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(BLOCK)) {
    shown.append(inline(text.slice(end, match.index)), made("code", "block", match[1]));
    end = match.index + match[0].length;
  }
  shown.append(inline(text.slice(end)));
  return shown;
}

function inline(text, open = "") {
  const shown = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(MARKED)) {
    const [whole, mark, inner] = match;
    if (open.includes(mark)) continue;
    shown.append(text.slice(end, match.index), made(TAGS[mark], "", mark === "`" ? inner : inline(inner, open + mark)));
    end = match.index + whole.length;
  }
  shown.append(text.slice(end));
  return shown;
}

function made(tag, className, content) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(content);
  return node;
}
