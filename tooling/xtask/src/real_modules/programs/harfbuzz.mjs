// Shapes text of several scripts with a font, and takes the outlines of its glyphs.

import { ensure, text } from "../support.mjs";

export default async (packages) => {
    const hb = await packages.import("harfbuzzjs/dist/index.mjs");
    const font = packages.read("dejavu-fonts-ttf/ttf/DejaVuSans.ttf");
    const face = new hb.Face(new hb.Blob(font.buffer.slice(font.byteOffset, font.byteOffset + font.length)));
    const shaped = new hb.Font(face);
    const lines = [...text(20000, 12).split("\n"), "AVAToTy office fluffy", "Ωμέγα ήλιος", "жёлтый йод", "مرحبا بالعالم", "שלום עולם", "e\u0301a\u0308o\u0302"];
    return {
        work() {
            const answers = { glyphs: [], outlines: {} };
            for (const line of lines) {
                const buffer = new hb.Buffer();
                buffer.addText(line);
                buffer.guessSegmentProperties();
                hb.shape(shaped, buffer);
                const infos = buffer.getGlyphInfos();
                const positions = buffer.getGlyphPositions();
                answers.glyphs.push(infos.map((info, i) => [info.codepoint, info.cluster, positions[i].xAdvance, positions[i].xOffset, positions[i].yOffset]));
                for (const { codepoint } of infos.slice(0, 8)) {
                    answers.outlines[codepoint] ??= shaped.glyphToPath(codepoint);
                }
            }
            ensure(answers.glyphs[0].length === lines[0].length, "that plain text gives a glyph for each letter");
            ensure(Object.values(answers.outlines).some((path) => path.startsWith("M")), "that there are outlines");
            return answers;
        },
    };
};
