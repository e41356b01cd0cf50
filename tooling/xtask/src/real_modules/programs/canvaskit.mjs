// Draws shapes, gradients, blurs and text into memory, and combines paths.

import { digest, ensure, stream } from "../support.mjs";

export default async (packages) => {
    const init = packages.require("canvaskit-wasm");
    const CanvasKit = await init({ locateFile: (file) => packages.path(`canvaskit-wasm/bin/${file}`) });
    const font = packages.read("dejavu-fonts-ttf/ttf/DejaVuSans.ttf");
    const typeface = CanvasKit.Typeface.MakeTypefaceFromData(font.buffer.slice(font.byteOffset, font.byteOffset + font.length));
    return {
        work() {
            const next = stream(13);
            const surface = CanvasKit.MakeSurface(400, 300);
            const canvas = surface.getCanvas();
            canvas.clear(CanvasKit.WHITE);
            const paint = new CanvasKit.Paint();
            paint.setAntiAlias(true);
            for (let i = 0; i < 150; i++) {
                paint.setColor(CanvasKit.Color(next(256), next(256), next(256), 0.1 + next(9) / 10));
                paint.setStyle(i % 3 ? CanvasKit.PaintStyle.Fill : CanvasKit.PaintStyle.Stroke);
                paint.setStrokeWidth(1 + next(8));
                const [x, y] = [next(400), next(300)];
                canvas.save();
                canvas.rotate(next(360), x, y);
                canvas.drawRRect(CanvasKit.RRectXY(CanvasKit.XYWHRect(x, y, 10 + next(90), 10 + next(60)), next(20), next(20)), paint);
                canvas.drawCircle(y, x, next(50), paint);
                canvas.restore();
            }
            const shader = CanvasKit.Shader.MakeRadialGradient([200, 150], 120, [CanvasKit.RED, CanvasKit.BLUE, CanvasKit.TRANSPARENT], [0, 0.5, 1], CanvasKit.TileMode.Clamp);
            paint.setShader(shader);
            paint.setStyle(CanvasKit.PaintStyle.Fill);
            paint.setMaskFilter(CanvasKit.MaskFilter.MakeBlur(CanvasKit.BlurStyle.Normal, 6, false));
            canvas.drawPaint(paint);
            const textFont = new CanvasKit.Font(typeface, 42);
            const ink = new CanvasKit.Paint();
            canvas.drawText("AV fi 3.14 Ωж", 20, 270, ink, textFont);
            const image = surface.makeImageSnapshot();
            const pixels = image.readPixels(0, 0, { ...image.getImageInfo(), colorSpace: CanvasKit.ColorSpace.SRGB });
            ensure(pixels.length === 400 * 300 * 4 && new Set(pixels).size > 100, "that something was drawn");
            const answers = {
                pixels: digest(pixels),
                png: digest(image.encodeToBytes()),
                widths: Array.from(textFont.getGlyphWidths(textFont.getGlyphIDs("Hello, skia"))),
            };
            for (const thing of [image, textFont, ink, shader, paint, surface]) {
                thing.delete();
            }
            return answers;
        },
    };
};
