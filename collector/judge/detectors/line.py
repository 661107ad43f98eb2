"""A line through points, how sure its rise is, and how it bends. Pure, one series a row, NaN where unknown.

Points that err alike are fewer: errors grow with the correlation of neighbours (Bartlett 1935), and a rise is told in
the normal deviates that are as rare as Student's t of so few (Wallace 1959).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collector.judge.expression import Numbers, Truths

MOST_ALIKE = 0.9
"""More is not counted: of so few points that err so much alike nobody knows how many they are worth."""


class Line(NamedTuple):
    """One value a row. `slope` bytes/hour with its standard `error`; `deviates` by which the rise lies above nothing;
    `grown` bytes in `hours`; `ratio` of the growth of the second half to that of the first, and its standard error
    (infinite where too few points tell it); `rest` what the line leaves of each point, NaN where there is none."""

    slope: Numbers
    error: Numbers
    deviates: Numbers
    grown: Numbers
    hours: Numbers
    ratio: Numbers
    ratio_error: Numbers
    rest: Numbers


class Fit(NamedTuple):
    """Terms and their standard errors, how much neighbours err alike (0 to 0.9), and what is left of each value."""

    terms: Numbers
    errors: Numbers
    alike: Numbers
    rest: Numbers


def line_through(hours: Numbers, used: Numbers) -> Line:
    """A line, and a parabola for how it bends, by least squares."""
    known: Truths = np.isfinite(used)
    count = known.sum(axis=1)
    with np.errstate(all="ignore"):
        at = np.where(known, hours, np.nan)
        begin = np.fmin.reduce(at, axis=1)
        span = np.fmax.reduce(at, axis=1) - begin
        x = 2 * (hours - begin[:, None]) / span[:, None] - 1
        straight, bent = fit(x, used, 1), fit(x, used, 2)
        early, late = (bent.terms[:, 1] + side * 1.5 * bent.terms[:, 2] for side in (-1, 1))
        ratio = np.where(early > 0, late / early, np.inf)
        of_few = np.where(count - 3 > 2, np.sqrt((count - 3) / (count - 5)), np.inf)
        ratio_error = of_few * 3 * bent.errors[:, 2] / np.abs(bent.terms[:, 1])
        half, half_error = straight.terms[:, 1], straight.errors[:, 1]
        freedom = np.maximum(1, independent(count - 2, straight.alike))
        deviates = np.where(count > 2, _normal_deviates(half / half_error, freedom), 0)
    rest = np.where(known, straight.rest, np.nan)
    return Line(2 * half / span, 2 * half_error / span, deviates, 2 * half, span, ratio, ratio_error, rest)


def mean_of(values: Numbers) -> Numbers:
    """The mean of what is known of each row, NaN where nothing is."""
    means: Numbers = np.nansum(values, axis=1) / np.isfinite(values).sum(axis=1)
    return means


def parabola(x: Numbers) -> Numbers:
    """Legendre's polynomials up to the second of points from -1 to 1: one more axis."""
    return np.stack([np.ones_like(x), x, 1.5 * x**2 - 0.5], axis=-1)


def fit(x: Numbers, values: Numbers, degree: int) -> Fit:
    """Legendre's polynomials up to the first or second by least squares, x from -1 to 1."""
    known: Truths = np.isfinite(values)
    values = np.where(known, values - mean_of(values)[:, None], 0)
    basis = np.where(known[:, :, None], parabola(x)[:, :, : degree + 1], 0)
    count = known.sum(axis=1)
    inverse = np.linalg.inv(np.einsum("nki,nkj->nij", basis, basis) + 1e-9 * np.eye(degree + 1))
    terms = np.einsum("nij,nj->ni", inverse, np.einsum("nki,nk->ni", basis, values))
    rest = np.where(known, values - np.einsum("nki,ni->nk", basis, terms), 0)
    squares = (rest**2).sum(axis=1) + 1e-6
    err_alike = np.clip(alike(rest) + 1 / count, 0, MOST_ALIKE)
    variance = squares / np.maximum(1, count - degree - 1) * (1 + err_alike) / (1 - err_alike)
    return Fit(terms, np.sqrt(variance[:, None] * np.einsum("nii->ni", inverse)), err_alike, rest)


def independent(count: Numbers, err_alike: Numbers) -> Numbers:
    """How many points that err each for itself know as much as so many whose neighbours err so much alike."""
    fewer: Numbers = count * (1 - err_alike) / (1 + err_alike)
    return fewer


def alike(rest: Numbers) -> Numbers:
    """How much neighbours err alike (-1 to 1), of what is left of the points of each row."""
    correlation: Numbers = (rest[:, 1:] * rest[:, :-1]).sum(axis=1) / ((rest**2).sum(axis=1) + 1e-6)
    return correlation


def _normal_deviates(t: Numbers, freedom: Numbers) -> Numbers:
    """The normal deviate that is as rare as this t."""
    far = np.sqrt(freedom * np.log1p(t**2 / freedom))
    deviates: Numbers = np.sign(t) * far * (8 * freedom + 1) / (8 * freedom + 3)
    return deviates
