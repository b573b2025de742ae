"""Muon of three iterations: five take a quarter of a small detector's step."""

_base_ = './muon_cosine.py'

optim_wrapper = dict(optimizer=dict(ns_steps=3, ns_coefficients='polar_express'))
