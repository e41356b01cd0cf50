// Draws a picture with shapes, gradients, filters and text.

import { digest, ensure, stream } from "../support.mjs";

function picture(seed) {
    const next = stream(seed);
    let shapes = "";
    for (let i = 0; i < 120; i++) {
        const [x, y] = [next(400), next(300)];
        shapes += `<path d="M${x},${y} q${next(60)},${next(40)} ${next(50)},-${next(50)} t${next(40)},${next(40)} z" fill="hsl(${next(360)},60%,50%)" opacity=".${1 + next(9)}" transform="rotate(${next(90)} ${x} ${y})" stroke="#${100 + next(899)}" stroke-dasharray="${1 + next(9)} 2"/>`;
    }
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 300"><defs><linearGradient id="g"><stop stop-color="#fc0"/><stop offset="1" stop-color="#06c"/></linearGradient>
<filter id="f"><feGaussianBlur stdDeviation="3"/><feOffset dx="4" dy="4"/><feComposite in2="SourceGraphic" operator="xor"/></filter><clipPath id="c"><circle cx="200" cy="150" r="140"/></clipPath></defs>
<rect width="400" height="300" fill="url(#g)"/><g clip-path="url(#c)">${shapes}</g><g filter="url(#f)"><ellipse cx="120" cy="90" rx="70" ry="30" fill="tomato"/></g>
<text x="30" y="280" font-size="34" font-family="DejaVu Sans" fill="white">AV fi 3.14 Ω ж</text></svg>`;
}

export default async (packages) => {
    const resvg = packages.require("@resvg/resvg-wasm");
    await resvg.initWasm(packages.read("@resvg/resvg-wasm/index_bg.wasm"));
    const font = packages.read("dejavu-fonts-ttf/ttf/DejaVuSans.ttf");
    const svg = picture(8);
    return {
        work() {
            const drawing = new resvg.Resvg(svg, { fitTo: { mode: "width", value: 500 }, font: { fontBuffers: [font], defaultFontFamily: "DejaVu Sans" } });
            const box = drawing.getBBox();
            const image = drawing.render();
            const pixels = image.pixels;
            ensure(pixels.length === 500 * 375 * 4, "that the picture has its size");
            ensure(new Set(pixels).size > 100, "that something was drawn");
            const png = image.asPng();
            const answers = { pixels: digest(pixels), png: digest(png), box: [box.x, box.y, box.width, box.height], tree: digest(drawing.toString()) };
            image.free();
            drawing.free();
            return answers;
        },
    };
};
