"""Train the finder of the lung fields: on phantoms, then on its own surest answers for real films.

    python runs/lungs/train.py out/two_hospitals.csv --out src/lungflag/training/lungs.safetensors

No film was outlined by hand. The lungs of phantoms are known; random shape, opacity (white lobes
too) and style carry the network over to films. Of its first answers those that look like lungs
and hardly change under other grey scales and in the mirror teach it again, beside phantoms.
--sheet draws a random draw and the least certain films, to be looked at. Only rows of the split
`train` are used.
"""

from __future__ import annotations

import argparse
from math import log, pi
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import (
    affine_grid,
    avg_pool2d,
    binary_cross_entropy_with_logits,
    grid_sample,
    interpolate,
)

from lungflag.data.manifest import Manifest
from lungflag.phantom import make_phantom
from lungflag.preprocess import Preprocess
from lungflag.training.augment import Augmentation
from lungflag.training.cache import cache_images
from lungflag.training.fit import stack
from lungflag.training.lungs import GRID, SIDE, LungFinder, lung_box
from lungflag.training.opacities import insert, opacities
from lungflag.training.recipe import Recipe

FIRST_SEED = 5000


def phantoms(n: int) -> tuple[Tensor, Tensor]:
    """Return radiographs and lungs, uint8 (n, 1, SIDE, SIDE)."""
    preprocess, grey, lungs = Preprocess(size=SIDE), [], []
    for seed in range(FIRST_SEED, FIRST_SEED + n):
        made = make_phantom(seed, pneumonia=seed % 2 == 0, size=SIDE)
        grey.append(preprocess(made.pixels))
        lungs.append(made.lungs.astype(np.uint8))
    return torch.from_numpy(np.stack(grey))[:, None], torch.from_numpy(np.stack(lungs))[:, None]


def bent(grey: Tensor, lungs: Tensor) -> tuple[Tensor, Tensor]:
    """Return both through one random affine and elastic map each."""
    n = len(grey)

    def draw(low: float, high: float) -> Tensor:
        return torch.empty(n).uniform_(low, high)

    scale, stretch = torch.exp(draw(log(0.55), log(1.25))), torch.exp(draw(-0.3, 0.3))
    height, width = scale * stretch.sqrt(), scale / stretch.sqrt()
    turn, shear = draw(-15, 15) * pi / 180, draw(-0.1, 0.1)
    side = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    theta = torch.stack(
        [
            torch.stack(
                [width * turn.cos() * side, -width * (turn.sin() - shear), draw(-0.24, 0.24)], 1
            ),
            torch.stack([height * turn.sin() * side, height * turn.cos(), draw(-0.32, 0.32)], 1),
        ],
        dim=1,
    )
    grid = affine_grid(theta, [n, 1, SIDE, SIDE], align_corners=False)
    waves = interpolate(0.04 * torch.randn(n, 2, 5, 5), (SIDE, SIDE), mode="bicubic")
    grid = grid + waves.permute(0, 2, 3, 1) * draw(0, 1)[:, None, None, None]
    both = grid_sample(torch.cat([grey, lungs], dim=1), grid, align_corners=False)
    return both[:, :1], both[:, 1:]


def ill(grey: Tensor, lungs: Tensor) -> Tensor:
    """Return `grey` with opacities in half and a white lower part of one lung in a quarter."""
    grey = grey.clone()
    some = torch.rand(len(grey)) < 0.5
    grey[some] = insert(grey[some], opacities(lungs[some]))
    for k in torch.nonzero(torch.rand(len(grey)) < 0.25)[:, 0].tolist():
        white = lungs[k : k + 1].clone()
        half = slice(0, SIDE // 2) if torch.rand(1) < 0.5 else slice(SIDE // 2, SIDE)
        white[..., half] = 0
        white[..., : int(torch.empty(1).uniform_(0.2, 0.9) * SIDE), :] = 0
        grey[k : k + 1] = insert(grey[k : k + 1], avg_pool2d(white, 9, 1, 4))
    return grey


def teach(
    finder: LungFinder, sources: list[tuple[Tensor, Tensor, Tensor, int]], steps: int
) -> LungFinder:
    """Train on (grey, lungs, chances, images a step) sources; the first is the phantoms'."""
    picture = Augmentation(Recipe(style_mix=0.8)).picture
    optimizer = torch.optim.AdamW(finder.parameters(), 3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps)
    finder.train()
    for step in range(steps):
        batches = []
        for number, (grey, lungs, chances, count) in enumerate(sources):
            chosen = torch.multinomial(chances, count, True)
            seen, where = bent(grey[chosen].float() / 255, lungs[chosen].float())
            batches.append((ill(seen, where) if number == 0 else seen, where))
        seen, where = (torch.cat(parts) for parts in zip(*batches, strict=True))
        found = finder(picture(seen).contiguous(memory_format=torch.channels_last))
        wanted = avg_pool2d(where, SIDE // GRID)
        sure = found.sigmoid()
        overlap = 2 * (sure * wanted).sum((1, 2, 3)) + 1
        dice = overlap / ((sure + wanted).sum((1, 2, 3)) + 1)
        loss = binary_cross_entropy_with_logits(found, wanted) + (1 - dice).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: loss {float(loss.detach()):.3f}", flush=True)
    return finder.eval()


@torch.no_grad()
def answers(finder: LungFinder, grey: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean answer (n, 32, 32) over grey scales and the mirror, and its spread (n,)."""
    means, spreads = [], []
    for start in range(0, len(grey), 64):
        one = grey[start : start + 64].float() / 255
        looks = [v for g in (0.7, 1.0, 1.4) for v in (one**g, one.flip(-1) ** g)]
        found = torch.stack([finder(look).sigmoid()[:, 0] for look in looks])
        found[1::2] = found[1::2].flip(-1)
        mean, lung = found.mean(dim=0), found.mean(dim=0) > 0.1
        means.append(mean)
        spread = (found.std(dim=0) * lung).sum((1, 2)) / lung.sum((1, 2)).clamp(min=1)
        spreads.append(spread)
    return torch.cat(means), torch.cat(spreads)


def two_lungs(answer: Tensor) -> Tensor | None:
    """Return the answer cleared of stray spots where it looks like two lungs, else None."""
    numbered, n = ndimage.label((answer > 0.5).numpy())
    if n < 2:
        return None
    sizes = ndimage.sum_labels(numbered > 0, numbered, range(1, n + 1))
    first, second = np.argsort(-sizes)[:2]
    lungs = np.isin(numbered, (first + 1, second + 1))
    centres = ndimage.center_of_mass(lungs, numbered, (first + 1, second + 1))
    left, right = sorted(column for _, column in centres)
    sides_apart = 2 < left < GRID / 2 + 0.5 and GRID / 2 + 0.5 < right < GRID - 2
    free_of_edges = lungs[:, [0, -1]].sum() <= 6
    if sizes[second] < 0.35 * sizes[first] or not sides_apart or not free_of_edges:
        return None
    if not 0.12 <= lungs.mean() <= 0.4:
        return None
    return answer * torch.from_numpy(ndimage.binary_dilation(lungs))


def sheet(grey: Tensor, finder: LungFinder, file: Path) -> None:
    """Draw 24 films at random and the 16 least certain ones, lungs green, box red."""
    answer, spread = answers(finder, grey)
    drawn = torch.randperm(len(grey), generator=torch.Generator().manual_seed(1))[:24]
    tiles = []
    for k in [*drawn.tolist(), *spread.argsort(descending=True)[:16].tolist()]:
        film = grey[k, 0].float().numpy()[..., None].repeat(3, axis=-1)
        lungs = interpolate(answer[k][None, None], film.shape[:2], mode="bilinear")[0, 0].numpy()
        film[..., 1] = (film[..., 1] + 70 * lungs).clip(0, 255)
        row, column, tall, wide = (lung_box(answer[k][None, None])[0] * len(film)).tolist()
        top, bottom, left, right = (
            int(np.clip(edge, 0, len(film) - 1))
            for edge in (row - tall / 2, row + tall / 2, column - wide / 2, column + wide / 2)
        )
        film[top:bottom, [left, right], 0] = film[[top, bottom], left:right, 0] = 255
        tiles.append(film.astype(np.uint8))
    rows = [np.hstack(tiles[k : k + 8]) for k in range(0, len(tiles), 8)]
    Image.fromarray(np.vstack(rows)).save(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--phantoms", type=int, default=700)
    parser.add_argument("--steps", type=int, default=1500, help="of each of the two rounds")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".cache/lungflag"))
    options = parser.parse_args()
    torch.manual_seed(1)
    grey, lungs = phantoms(options.phantoms)
    even = torch.ones(len(grey))
    finder = LungFinder().to(memory_format=torch.channels_last)
    teach(finder, [(grey, lungs, even, 24)], options.steps)

    manifest = Manifest.read(options.manifest).in_split("train")
    films = cache_images(manifest, Preprocess(), options.cache).images
    pixels = torch.from_numpy(stack(films))
    answer, spread = answers(finder, pixels)
    cleared = {
        k: lung
        for k in torch.nonzero(spread < 0.1)[:, 0].tolist()
        if (lung := two_lungs(answer[k])) is not None
    }
    sources = [films[k].row.source for k in cleared]
    print({name: sources.count(name) for name in set(sources)}, "surest answers taken")
    chances = torch.tensor([1 / sources.count(name) for name in sources])
    real = interpolate(pixels[list(cleared)].float(), (SIDE, SIDE), mode="bilinear", antialias=True)
    taught = interpolate(
        torch.stack(list(cleared.values()))[:, None], (SIDE, SIDE), mode="bilinear"
    )
    teach(finder, [(grey, lungs, even, 12), (real.byte(), taught, chances, 16)], options.steps)
    halves = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in finder.state_dict().items()
    }
    save_file(halves, options.out)
    if options.sheet:
        sheet(pixels, finder, options.sheet)


if __name__ == "__main__":
    main()
