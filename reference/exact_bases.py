"""Bases of weight matrices against torch.linalg.svd: called by bench/decompose.ts.

    python reference/exact_bases.py MODEL.safetensors BASES.safetensors THREADS

BASES holds NAME.u [rows, k], NAME.v [columns, k] and NAME.sigma [k] of every matrix to look at. Answers with one line of JSON: for each matrix the seconds of
torch.linalg.svd (f32, in full), and against the decomposition in f64 the energy lost, the mean squared cosine and the smallest cosine of a principal angle of
the left and the right subspace (the worse of both), the largest difference from orthonormal columns, and the largest relative error of a singular value.
Directions whose singular value agrees with the k-th to 1e-3 may stand for each other: `overlap` leaves them out, `plain` does not.
"""

import json
import sys
import time

import torch
from safetensors import safe_open

TIED = 1e-3


def exact(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """U, sigma, V in f64; of a matrix much longer than wide by the eigenvectors of its f64 Gram matrix, which is exact enough there."""
    rows, columns = weight.shape
    if min(rows, columns) * 8 > max(rows, columns):
        u, sigma, vh = torch.linalg.svd(weight, full_matrices=False)
        return u, sigma, vh.T
    squares, vectors = torch.linalg.eigh(weight.T @ weight if rows > columns else weight @ weight.T)
    sigma, vectors = squares.flip(0).clamp_min(0).sqrt(), vectors.flip(1)
    other = (weight if rows > columns else weight.T) @ vectors / sigma
    return (other, sigma, vectors) if rows > columns else (vectors, sigma, other)


def compare(weight: torch.Tensor, u: torch.Tensor, v: torch.Tensor, found: torch.Tensor, single: torch.Tensor) -> dict:
    k = u.shape[1]
    started = time.perf_counter()
    torch.linalg.svd(single, full_matrices=False)
    seconds = time.perf_counter() - started
    exact_u, sigma, exact_v = exact(weight)
    last = sigma[k - 1]
    # The exact subspace up to the values that are tied with the k-th; whoever is inside it is right.
    wide = int((sigma >= last * (1 - TIED)).sum())
    energy = (sigma[:k] ** 2).sum()
    lost = max(1 - float(((u.T @ weight) ** 2).sum() / energy), 1 - float(((weight @ v) ** 2).sum() / energy))
    cosines = [torch.linalg.svdvals(full[:, :k].T @ basis) for full, basis in ((exact_u, u), (exact_v, v))]
    inside = [float(((full[:, :wide].T @ basis) ** 2).sum()) / k for full, basis in ((exact_u, u), (exact_v, v))]
    eye = torch.eye(k, dtype=torch.float64)
    return dict(
        seconds=seconds,
        lost=lost,
        overlap=min(inside),
        plain=min(float((each**2).mean()) for each in cosines),
        smallest=min(float(each[-1]) for each in cosines),
        orthonormal=max(float((basis.T @ basis - eye).abs().max()) for basis in (u, v)),
        sigma=float(((found - sigma[:k]).abs() / sigma[:k].clamp_min(1e-6 * sigma[0])).max()),
    )


def main() -> None:
    model, bases, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(threads)
    with safe_open(model, "pt") as weights, safe_open(bases, "pt") as found, torch.no_grad():
        names = [name[:-2] for name in found.keys() if name.endswith(".u")]
        results = {}
        for name in names:
            single = weights.get_tensor(name).float()
            u, v, sigma = (found.get_tensor(f"{name}.{part}").double() for part in ("u", "v", "sigma"))
            results[name] = compare(single.double(), u, v, sigma, single)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
