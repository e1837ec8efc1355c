// Evaluated in a world of its own, where nothing of the page reaches. Returns what is wrong, in words, and the page's height.
(width) => {
  const problems = [];
  const say = (problem, element) => {
    const words = (element?.textContent ?? "").trim().replace(/\s+/g, " ").slice(0, 40);
    problems.push(element ? `${problem}: <${element.localName}> ${words}` : problem);
  };
  const root = document.documentElement;
  const wide = Math.max(root.scrollWidth, document.body.scrollWidth);
  if (wide > width) say(`it is ${wide} px wide on a screen of ${width}`);

  for (const element of document.querySelectorAll("script, iframe, object, embed, link, base")) say("it has what runs or loads", element);
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      if (/^on/i.test(name) || /^\s*javascript:/i.test(value)) say(`${name} would run`, element);
    }
    const box = element.getBoundingClientRect();
    if (box.width > 0 && (box.right > width + 0.5 || box.left < -0.5)) say(`it reaches from ${box.left} to ${box.right} px`, element);
  }

  const parse = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, below) => {
    const mix = (name) => top[name] * top.a + below[name] * (1 - top.a);
    return { r: mix("r"), g: mix("g"), b: mix("b"), a: 1 };
  };
  // What is behind an element: the canvas, and each background up to it.
  const canvas = matchMedia("(prefers-color-scheme: dark)").matches && getComputedStyle(root).colorScheme.includes("dark")
    ? { r: 18, g: 18, b: 18, a: 1 } : { r: 255, g: 255, b: 255, a: 1 };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), canvas);
  };
  const light = ({ r, g, b }) => {
    const [R, G, B] = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * R + 0.7152 * G + 0.0722 * B;
  };
  const contrast = (a, b) => {
    const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };

  let texts = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data;
    if (!text.trim() || !element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) continue;
    texts += 1;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    if (size < 14) say(`${size} px is small`, element);
    const ground = behind(element);
    const ratio = contrast(over(parse(style.color), ground), ground);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) say(`a contrast of ${ratio.toFixed(2)} is low`, element);
    if (/[\u202a-\u202e\u2066-\u2069]/.test(text) && !element.closest("bdi")) say("it turns text around", element);
  }
  if (texts === 0) say("it says nothing");

  for (const element of document.querySelectorAll("a[href], button, input:not([type=hidden])")) {
    const box = element.getBoundingClientRect();
    if (box.height < 44 && box.width > 0) say(`${box.height.toFixed(1)} px is low for a finger`, element);
  }
  return { problems, height: Math.max(root.scrollHeight, document.body.scrollHeight) };
}
