"""Cleaning and covering the picture of a telephone, as evidence is, beside decoding and encoding it and no more."""

import asyncio
import io
import random
import tempfile
import time

from PIL import Image

from benchmarks.measure import Figure, pairs
from services.kernel.uploads.pictures import Box, redrawn

SIZE, QUALITY = (4_000, 3_000), 85
PICTURES = 3
BOXES = [Box(300 * at, 200 * at, 400, 300) for at in range(8)]


def taken() -> bytes:
    """A picture of 12 megapixels with details, position and device, lying on its side."""
    noise = random.Random(7).randbytes(400 * 300 * 3)
    picture = Image.frombytes("RGB", (400, 300), noise).resize(SIZE, Image.Resampling.BICUBIC)
    told, out = Image.Exif(), io.BytesIO()
    told[0x010F], told[0x0112] = "telephone", 6
    picture.save(out, "JPEG", quality=QUALITY, exif=told.tobytes())
    return out.getvalue()


async def measure(runs: int) -> list[Figure]:
    """The figure."""
    sent = taken()

    def cleaned() -> float:
        with tempfile.TemporaryFile() as file:
            file.write(sent)
            begun = time.perf_counter()
            for _ in range(PICTURES):
                with redrawn(file, "image/jpeg", 50_000_000, BOXES) as new:
                    new.read()
        return PICTURES / (time.perf_counter() - begun)

    def bare() -> float:
        begun = time.perf_counter()
        for _ in range(PICTURES):
            with Image.open(io.BytesIO(sent)) as picture:
                picture.save(io.BytesIO(), "JPEG", qtables=picture.quantization)  # type: ignore[attr-defined]
        return PICTURES / (time.perf_counter() - begun)

    async def ours() -> float:
        return await asyncio.to_thread(cleaned)

    async def floor() -> float:
        return await asyncio.to_thread(bare)

    told = f"a picture of 12 megapixels cleaned, turned upright and covered in {len(BOXES)} places"
    is_floor = "the same picture decoded and encoded in one process"
    return [await pairs(told, ours, floor, goal=0.4, floor_is=is_floor, unit="pictures/s", runs=runs)]
