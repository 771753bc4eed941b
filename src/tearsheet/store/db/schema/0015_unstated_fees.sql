-- Bookings whose fee nobody stated, which every summary counts.
CREATE INDEX booking_unstated_fee ON booking (time_us) WHERE fees = '-0';
